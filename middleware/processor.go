package middleware

import (
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// processor stands between a broker and a worker.
type processor struct {
	brokersiface.TaskProcessor
	m *Middleware
}

// Process runs the task of a signature that has just been received.
func (p *processor) Process(s *tasks.Signature) error {
	p.m.markReceived(s)
	defer p.m.restored.Delete(s)
	return p.TaskProcessor.Process(s)
}

// markReceived marks the signatures that the worker may publish again (for a
// retry or as callbacks) and whose arguments are in wire form already, or will
// be when Machinery has appended the results of a wrapped task to them.
func (m *Middleware) markReceived(s *tasks.Signature) {
	if hasEnvelope(s.Args) {
		markSealed(s)
	}
	_, wrapped := m.wrapped.Load(s.Name)
	for _, callback := range s.OnSuccess {
		m.markReceived(callback)
		if wrapped {
			markSealed(callback)
		}
	}
	for _, callback := range s.OnError {
		m.markReceived(callback)
	}
	if s.ChordCallback != nil {
		m.markReceived(s.ChordCallback)
		markSealed(s.ChordCallback)
	}
}
