package middleware

import (
	"errors"
	"iter"
	"runtime/debug"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// errPanicked stands for what processing a task panicked with, which may hold
// anything.
var errPanicked = errors.New("processing panicked")

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
	d := &delivery{m: p.m}
	d.pristine.keep(s)
	received := p.m.inWireForm(s)
	p.m.trust(received)
	defer p.m.distrust(received)
	var unopened error
	if t, ok := p.m.wrapped.Load(s.Name); ok {
		d.task = t.(*task)
		deliveries.begin(s, d)
		defer deliveries.end(s)
		defer d.buryFailure()
	} else {
		unopened = p.m.openForPlain(s)
	}
	err := p.process(s)
	if err != nil && unopened != nil {
		err = &unopenedError{err, unopened}
	}
	if err != nil {
		return p.settle(d.pristine.signature(), err)
	}
	return nil
}

// process turns a panic into an error. Machinery's reflection panics on a value
// that is no slice and says it is one, and would take the whole worker along.
func (p *processor) process(s *tasks.Signature) (err error) {
	defer func() {
		if recover() != nil {
			log.ERROR.Printf("envelope: processing panicked\n%s", debug.Stack())
			err = errPanicked
		}
	}()
	return p.TaskProcessor.Process(s)
}

// inWireForm lists, of the signatures nested in a received one, those that the
// worker may publish as callbacks with arguments that are in wire form already,
// or will be when Machinery has appended the results of wrapped tasks to them.
// So is the received one, while it is being processed.
func (m *Middleware) inWireForm(s *tasks.Signature) []*tasks.Signature {
	var found []*tasks.Signature
	if m.isWrapped(s.Name) {
		found = append(found, s.OnSuccess...)
	}
	if s.ChordCallback != nil {
		found = append(found, s.ChordCallback)
	}
	return appendNested(found, s)
}

// appendNested adds the signatures nested in s that came with envelopes.
func appendNested(found []*tasks.Signature, s *tasks.Signature) []*tasks.Signature {
	for nested := range callbacks(s) {
		if hasEnvelope(nested.Args) {
			found = append(found, nested)
		}
		found = appendNested(found, nested)
	}
	return found
}

// callbacks goes through the signatures that s holds.
func callbacks(s *tasks.Signature) iter.Seq[*tasks.Signature] {
	return func(yield func(*tasks.Signature) bool) {
		for _, several := range [][]*tasks.Signature{s.OnSuccess, s.OnError} {
			for _, one := range several {
				if one != nil && !yield(one) {
					return
				}
			}
		}
		if s.ChordCallback != nil {
			yield(s.ChordCallback)
		}
	}
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
