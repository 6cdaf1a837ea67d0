package delivery

import (
	"context"
	"sync"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A Delivery is a task that a worker is processing. It knows what the worker may have to send before the task is done:
// the task itself when it is retried, its callbacks, the next step of its chain, and the callback of its chord.
// Machinery's worker ignores the errors of most of these sends, so the task must be kept where one has failed.
type Delivery struct {
	stopping context.Context
	source   any
	sends    []*tasks.Signature
	returned func()

	mu     sync.Mutex
	unsent error
}

// deliveries are those of the process, by what may be sent for them. A backend, which is told of a send before the
// broker is, has no other way to find them.
var deliveries = struct {
	mu     sync.RWMutex
	bySend map[*tasks.Signature]*Delivery
}{bySend: make(map[*tasks.Signature]*Delivery)}

// Begin notes that a worker processes a task, until End is called. The context ends when the worker is to stop.
func Begin(stopping context.Context, s *tasks.Signature) *Delivery {
	return BeginFrom(nil, stopping, s)
}

// BeginFrom is Begin for a task that was taken from a source, which must be comparable: see TakenFrom.
func BeginFrom(source any, stopping context.Context, s *tasks.Signature) *Delivery {
	d := &Delivery{stopping: stopping, source: source, sends: sendsOf(s)}
	deliveries.mu.Lock()
	defer deliveries.mu.Unlock()
	for _, send := range d.sends {
		deliveries.bySend[send] = d
	}
	return d
}

// sendsOf returns what a worker may send for a task.
func sendsOf(s *tasks.Signature) []*tasks.Signature {
	sends := make([]*tasks.Signature, 0, 2+len(s.OnSuccess)+len(s.OnError))
	sends = append(sends, s)
	sends = append(sends, s.OnSuccess...)
	sends = append(sends, s.OnError...)
	return append(sends, s.ChordCallback)
}

// End returns why something could not be sent before the worker was to stop: the task is not done then, and is to be
// kept, to run again. Otherwise it returns nil.
func (d *Delivery) End() error {
	deliveries.mu.Lock()
	for _, send := range d.sends {
		delete(deliveries.bySend, send)
	}
	deliveries.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unsent
}

// TakenFrom reports whether the task was taken from a source. It may be called on nil.
func (d *Delivery) TakenFrom(source any) bool {
	return d != nil && d.source != nil && d.source == source
}

// WhenReturned has f called when the backend is told how the task has ended. It must be called before the task is
// processed.
func (d *Delivery) WhenReturned(f func()) { d.returned = f }

// NoteReturned tells the worker that the task's function has returned. It may be called several times.
func (d *Delivery) NoteReturned() {
	if d.returned != nil {
		d.returned()
	}
}

// Stopping returns the context that ends when the worker is to stop.
func (d *Delivery) Stopping() context.Context { return d.stopping }

// SentFor returns the delivery for which a signature is being sent, or nil. The signature that a broker is given is a
// copy where the middleware is installed: the context names the original.
func SentFor(ctx context.Context, s *tasks.Signature) *Delivery {
	if original := middleware.OriginalSignature(ctx); original != nil {
		s = original
	}
	if s == nil {
		return nil
	}
	deliveries.mu.RLock()
	defer deliveries.mu.RUnlock()
	return deliveries.bySend[s]
}

// Send repeats a part of a send while it fails with an error that may pass, until the worker is to stop. Then the
// delivery is to be kept: see End. It returns the last error.
func (d *Delivery) Send(pauses backoff.Policy, mayPass func(error) bool, part func() error) error {
	for failures := 1; ; failures++ {
		err := part()
		if err == nil || !mayPass(err) {
			return err
		}
		if !backoff.Sleep(d.stopping, pauses.Pause(failures)) {
			d.Keep(err)
			return err
		}
	}
}

// SendNoting is Send that notes in an outage how each attempt ended. An error that cannot pass is none of the server.
func (d *Delivery) SendNoting(
	outage *Outage, operation string, pauses backoff.Policy, mayPass func(error) bool, part func() error,
) error {
	return d.Send(pauses, mayPass, func() error {
		began := outage.Begin()
		err := part()
		if err != nil && mayPass(err) {
			outage.Note(operation, began, err)
		} else {
			outage.Note(operation, began, nil)
		}
		return err
	})
}

// Keep notes why the delivery is to be kept.
func (d *Delivery) Keep(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsent = err
}
