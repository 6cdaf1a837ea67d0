package middleware

import (
	"context"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// A handler does its part of the processing of a task that a broker has delivered. It gets the error of the handlers
// before it, and returns the one for those after it.
type handler interface {
	handle(d *delivery, err error) error
}

// processor stands between a broker and a worker, and is an Abandoner.
type processor struct {
	brokersiface.TaskProcessor // the worker
	m                          *Middleware
	stopping                   context.Context // ends when the worker is to stop
	handlers                   []handler
}

// newProcessor returns what happens to a task between a broker and a worker, in this order. The last handler decides
// what becomes of the task, and so what the broker is told.
func (m *Middleware) newProcessor(stopping context.Context, worker brokersiface.TaskProcessor, last handler) *processor {
	return &processor{worker, m, stopping, []handler{
		verify{m},
		deliver{m, recovering{worker}},
		last,
	}}
}

// Process takes a task that has just been received through the handlers.
func (p *processor) Process(s *tasks.Signature) error { return p.processUntil(p.stopping, s) }

func (p *processor) processUntil(stopping context.Context, s *tasks.Signature) (err error) {
	d := &delivery{m: p.m, stopping: stopping, signature: s}
	for _, h := range p.handlers {
		err = h.handle(d, err)
	}
	return err
}

// Abandon implements Abandoner. A broker may give up a task before anybody has verified it.
func (p *processor) Abandon(s *tasks.Signature, reason error) {
	if refusal := p.m.check(s); refusal != nil {
		p.m.failer.refuse(s, refusal)
		return
	}
	p.m.failer.abandon(s, reason)
}

// verify keeps a task from running that nests too many others, or has no good signature.
type verify struct{ m *Middleware }

func (h verify) handle(d *delivery, _ error) error {
	d.refusal = h.m.check(d.signature)
	return d.refusal
}

// check returns why a task that was received is refused. Counting comes first: it costs less than verifying.
func (m *Middleware) check(s *tasks.Signature) error {
	if err := checkNested(s); err != nil {
		return err
	}
	return m.signing.verify(s)
}

// recovering is a worker whose panics are errors. Machinery's reflection panics on a value that is no slice and says it
// is one, and would take the whole process along.
type recovering struct{ brokersiface.TaskProcessor }

// Process returns the errors that the function Process returns.
func (w recovering) Process(s *tasks.Signature) error { return Process(w.TaskProcessor, s) }

// deliver hands a task to the worker.
type deliver struct {
	m      *Middleware
	worker brokersiface.TaskProcessor
}

func (h deliver) handle(d *delivery, err error) error {
	if err != nil {
		return err
	}
	d.original.keep(d.signature)
	d.task = h.m.taskOf(d.signature.Name)
	d.nested = trustedIn(d)
	d.explain()
	deliveries.begin(d)
	defer deliveries.end(d)
	if d.task != nil {
		return h.worker.Process(d.signature)
	}
	unopened := h.m.unpacker.openForPlain(d)
	err = h.worker.Process(d.signature)
	if err != nil && unopened != nil {
		return &unopenedError{err, unopened}
	}
	return err
}
