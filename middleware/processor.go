package middleware

import (
	"slices"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// processor stands between a broker and a worker.
type processor struct {
	brokersiface.TaskProcessor
	m *Middleware
	// settle decides what becomes of a task, given as it was received, whose
	// processing ended with an error that is not the task's.
	settle func(pristine *tasks.Signature, err error) error
}

// Process runs the task of a signature that has just been received.
func (p *processor) Process(s *tasks.Signature) error {
	if err := p.m.Verify(s); err != nil {
		p.m.refuse(s, err)
		return nil
	}
	defer p.m.expectGathering(s)()
	pristine := copyOf(s)
	received := p.m.inWireForm(s)
	p.m.trust(received)
	defer p.m.distrust(received)
	if t, ok := p.m.wrapped.Load(s.Name); ok {
		r := &restoration{m: p.m, task: t.(*task)}
		restorations.Store(s, r)
		defer restorations.Delete(s)
		defer func() { p.m.buryFailure(pristine, r) }()
	} else {
		p.m.openForPlain(s)
	}
	return p.settle(pristine, p.TaskProcessor.Process(s))
}

// inWireForm lists, of a received signature and those nested in it, the ones
// that the worker may publish (for a retry or as callbacks) with arguments that
// are in wire form already, or will be when Machinery has appended the results
// of wrapped tasks to them.
func (m *Middleware) inWireForm(s *tasks.Signature) []*tasks.Signature {
	var found []*tasks.Signature
	if m.isWrapped(s.Name) {
		found = append(append(found, s), s.OnSuccess...)
	}
	if s.ChordCallback != nil {
		found = append(found, s.ChordCallback)
	}
	return appendNested(found, s)
}

// appendNested adds the signatures nested in s that came with envelopes.
func appendNested(found []*tasks.Signature, s *tasks.Signature) []*tasks.Signature {
	for _, nested := range slices.Concat(s.OnSuccess, s.OnError, []*tasks.Signature{s.ChordCallback}) {
		if nested == nil {
			continue
		}
		if hasEnvelope(nested.Args) {
			found = append(found, nested)
		}
		found = appendNested(found, nested)
	}
	return found
}

func (m *Middleware) trust(received []*tasks.Signature) {
	for _, s := range received {
		m.received.Store(s, nil)
	}
}

func (m *Middleware) distrust(received []*tasks.Signature) {
	for _, s := range received {
		m.received.Delete(s)
	}
}
