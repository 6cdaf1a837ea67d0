package middleware

import (
	"context"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A delivery is all that is known of a signature that is being processed.
type delivery struct {
	m         *Middleware
	stopping  context.Context // ends when the worker is to stop
	signature *tasks.Signature
	original  original
	task      *task // nil for a task that was not registered through the middleware
	// nested are the signatures in this one that the worker may publish and whose envelopes are trusted (see
	// trustedIn).
	nested []*tasks.Signature
	// opened are the arguments that came in envelopes and were opened for a task that was not registered through the
	// middleware; nil if there are none.
	opened []bool

	// The arguments are restored once, for whoever asks first: a handler or the task.
	once    sync.Once
	context context.Context
	args    []reflect.Value  // the context comes first
	few     [4]reflect.Value // holds args where it has room: most tasks take few
	argsErr error

	refusal error        // why the task may not run, with SignTasks
	failure error        // of the task, when it will not be retried
	reached atomic.Int32 // a progress; other deliveries look at it
	unkept  error        // why the backend refuses the state that the task has ended in
	// unwritten is why a backend that was down had not taken a state when the worker was to stop: it wraps ErrStopped.
	unwritten error
}

// sleep waits, and reports whether the worker is still wanted afterwards.
func (d *delivery) sleep(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-d.stopping.Done():
		return false
	case <-timer.C:
		return true
	}
}

// wasOpened reports whether an argument was opened for a plain task. It may be called on nil.
func (d *delivery) wasOpened(arg int) bool { return d != nil && arg < len(d.opened) && d.opened[arg] }

// noteOpened notes that an argument was opened for a plain task.
func (d *delivery) noteOpened(arg int) {
	if d.opened == nil {
		d.opened = make([]bool, len(d.signature.Args))
	}
	d.opened[arg] = true
}

// noteRefused ends a callback that the broker or the backend has refused, unless the error is that of the task, or
// the worker returns it. It may be called on nil.
func (d *delivery) noteRefused(s *tasks.Signature, err error) {
	if d != nil && d.signature != s && d.signature.ChordCallback != s && !runsInPlace(d.m.broker) {
		d.m.failer.unsent(s, err)
	}
}

func (d *delivery) progress() progress { return progress(d.reached.Load()) }

func (d *delivery) reach(p progress) { d.reached.Store(int32(p)) }

// deliveries are those that are being processed, by their signatures and those nested in them. All of a process are in
// one table: handlers, to which Args is of use, and task functions have nothing but a signature.
var deliveries = deliveryTable{bySignature: make(map[*tasks.Signature]*delivery)}

// A deliveryTable costs less than a sync.Map where each key is stored and deleted once.
type deliveryTable struct {
	mu          sync.RWMutex
	bySignature map[*tasks.Signature]*delivery
}

func (t *deliveryTable) begin(d *delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bySignature[d.signature] = d
	for _, s := range d.nested {
		t.bySignature[s] = d
	}
}

func (t *deliveryTable) end(d *delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bySignature, d.signature)
	for _, s := range d.nested {
		delete(t.bySignature, s)
	}
}

// of returns the delivery of a signature, or nil for one that is not being processed.
func (t *deliveryTable) of(s *tasks.Signature) *delivery {
	if d := t.holding(s); d != nil && d.signature == s {
		return d
	}
	return nil
}

// holding returns the delivery of a signature, or of the one that it is nested in.
func (t *deliveryTable) holding(s *tasks.Signature) *delivery {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.bySignature[s]
}

// inGroup returns the delivery of a member of a chord that m is processing and that has ended, one of several, or nil.
func (t *deliveryTable) inGroup(m *Middleware, groupUUID string) *delivery {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, d := range t.bySignature {
		if s := d.signature; d.m == m && d.progress() == ended && s.ChordCallback != nil && s.GroupUUID == groupUUID {
			return d
		}
	}
	return nil
}

// publishing returns the delivery whose worker is publishing s, its own task again or one of its callbacks, or nil.
func (t *deliveryTable) publishing(s *tasks.Signature) *delivery {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, d := range t.bySignature {
		if d.signature == s || d.progress() == ended && isCallback(d.signature, s) {
			return d
		}
	}
	return nil
}

// isCallback reports whether s is one of the signatures that outer holds.
func isCallback(outer, s *tasks.Signature) bool {
	for callback := range callbacks(outer) {
		if callback == s {
			return true
		}
	}
	return false
}

// trustedIn returns, of the signatures nested in a delivered one, those that the worker may publish as callbacks with
// arguments that are packed already, or will be when Machinery has appended the results of wrapped tasks to them.
func trustedIn(d *delivery) []*tasks.Signature {
	var found []*tasks.Signature
	if d.task != nil {
		for _, s := range d.signature.OnSuccess {
			if s != nil {
				found = append(found, s)
			}
		}
	}
	if d.signature.ChordCallback != nil {
		found = append(found, d.signature.ChordCallback)
	}
	return appendPacked(found, d.signature)
}

// appendPacked adds the signatures nested in s that came with envelopes.
func appendPacked(found []*tasks.Signature, s *tasks.Signature) []*tasks.Signature {
	for nested := range callbacks(s) {
		if hasEnvelope(nested.Args) {
			found = append(found, nested)
		}
		found = appendPacked(found, nested)
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
