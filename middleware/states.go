package middleware

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrNotRecorded is the reason of a dead letter that has run, and must not run again, though the result backend did not
// take how it ended.
var ErrNotRecorded = errors.New("the task has run, but its end could not be recorded")

// maxRefusals is how often a backend may refuse a state, while it takes another one of the same task, before it is
// asked no more. Where the network fails it is asked maxPutBacks times.
const maxRefusals = 3

// progress is how far a worker has got with a task.
type progress int32

const (
	delivered progress = iota
	received           // the state RECEIVED is written: the arguments come next
	started            // the state STARTED is written: handlers and the task come next
	retried            // the task has run and was published again
	ended              // the task has run and will not be retried
)

// stateBackend notes how far workers get with their tasks. It writes again what a task that has run depends on: the
// task itself must not run again for the sake of its state.
type stateBackend struct {
	backendsiface.Backend
	inner backendsiface.Backend // that the middleware was installed over
	m     *Middleware
}

// notifyingStates keeps what Await looks for.
type notifyingStates struct {
	*stateBackend
	Notifier
}

func decorateStates(m *Middleware, inner backendsiface.Backend) backendsiface.Backend {
	outer := &stateBackend{decorateResults(inner), inner, m}
	if notifier, ok := inner.(Notifier); ok {
		return &notifyingStates{outer, notifier}
	}
	return outer
}

// Unwrap returns the backend that the middleware was installed over.
func (b *stateBackend) Unwrap() backendsiface.Backend { return b.inner }

// SetStatePending refuses to have a task sent past the middleware, leaves the state of one that goes with a batch to that,
// and writes the state of a callback until it is kept. A callback whose state is refused is not sent.
func (b *stateBackend) SetStatePending(s *tasks.Signature) error {
	if err := b.m.checkBroker(); err != nil {
		return err
	}
	if isGathered(b.m, s) {
		return nil
	}
	err := b.Backend.SetStatePending(s)
	if err == nil {
		return nil
	}
	d := deliveries.publishing(s)
	err = b.writeAgain(d, err, func() error { return b.Backend.SetStatePending(s) })
	if err != nil && d != nil && d.unwritten == nil {
		d.noteRefused(s, err)
	}
	return err
}

// SetStateReceived notes that a worker has begun.
func (b *stateBackend) SetStateReceived(s *tasks.Signature) error {
	return b.reach(s, received, b.Backend.SetStateReceived(s))
}

// SetStateStarted notes that the arguments of a task were reflected.
func (b *stateBackend) SetStateStarted(s *tasks.Signature) error {
	return b.reach(s, started, b.Backend.SetStateStarted(s))
}

func (b *stateBackend) reach(s *tasks.Signature, p progress, err error) error {
	if d := deliveries.of(s); d != nil && err == nil {
		d.reach(p)
	}
	return err
}

// SetStateRetry writes the state of a task that will run again until it is kept.
func (b *stateBackend) SetStateRetry(s *tasks.Signature) error {
	err := b.Backend.SetStateRetry(s)
	if err == nil {
		return nil
	}
	return b.writeAgain(deliveries.of(s), err, func() error { return b.Backend.SetStateRetry(s) })
}

// SetStateSuccess writes the results of a task until they are kept.
func (b *stateBackend) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	return b.end(s, func() error { return b.Backend.SetStateSuccess(s, results) })
}

// SetStateFailure writes why a task has failed until it is kept.
func (b *stateBackend) SetStateFailure(s *tasks.Signature, reason string) error {
	return b.end(s, func() error { return b.Backend.SetStateFailure(s, reason) })
}

func (b *stateBackend) end(s *tasks.Signature, write func() error) error {
	d := deliveries.of(s)
	if d != nil {
		d.reach(ended)
	}
	err := write()
	if err == nil || d == nil {
		return err
	}
	err = b.writeAgain(d, err, write)
	d.unkept = err
	return err
}

// GroupCompleted asks whether a group has ended, until the backend answers the worker that has ended a member. Where others
// of this process have ended members of it too, nothing tells which of them asks: see stoppedError.
func (b *stateBackend) GroupCompleted(groupUUID string, taskCount int) (completed bool, err error) {
	ask := func() error {
		completed, err = b.Backend.GroupCompleted(groupUUID, taskCount)
		return err
	}
	if err = ask(); err == nil {
		return completed, nil
	}
	err = b.repeat(deliveries.inGroup(b.m, groupUUID), err, ask)
	return completed, err
}

// GroupTaskStates returns the states of the tasks of a group. On RabbitMQ they can be read once.
func (b *stateBackend) GroupTaskStates(groupUUID string, taskCount int) ([]*tasks.TaskState, error) {
	states, err := b.Backend.GroupTaskStates(groupUUID, taskCount)
	if _, ok := b.Backend.(*amqpbackend.Backend); ok && err == nil {
		// The worker does this itself for a backend that it knows as RabbitMQ's.
		_ = b.Backend.PurgeGroupMeta(groupUUID)
	}
	return states, err
}

// writeAgain repeats a write for the task of d. When the worker stops before it has succeeded the task comes again.
func (b *stateBackend) writeAgain(d *delivery, err error, write func() error) error {
	err = b.repeat(d, err, write)
	if errors.Is(err, ErrStopped) {
		d.unwritten = err
	}
	return err
}

// repeat calls write, with pauses, after it has failed with err for the task of d. It returns the last error: as soon as it
// is clear that the backend refuses this very state, or, while the backend is down, when the worker stops; that one wraps
// ErrStopped. Where the sender waits for its task to run, or there is no task, it returns err at once.
func (b *stateBackend) repeat(d *delivery, err error, write func() error) error {
	if d == nil || runsInPlace(b.m.broker) {
		return err
	}
	for try, refusals := 0, 0; !isUnwritable(err); try++ {
		if b.takesStates(d) {
			refusals++
		}
		if refusals >= refusalsAllowed(err) {
			return err
		}
		b.m.reporter.about(d.signature).Warn("envelope: a state could not be written, writing it again", errorKind(err))
		if !d.sleep(pause(try)) {
			return fmt.Errorf("%w: %w", ErrStopped, err)
		}
		if err = write(); err == nil {
			return nil
		}
	}
	return err
}

// takesStates reports whether the backend takes states at all. It asks with a task of its own: a state of the one that is
// delivered would take the place of the state that it has ended in.
func (b *stateBackend) takesStates(d *delivery) bool {
	probe := &tasks.Signature{UUID: d.signature.UUID + "_probe", Name: d.signature.Name}
	if b.Backend.SetStateRetry(probe) != nil {
		return false
	}
	_ = b.Backend.PurgeState(probe.UUID) // else it expires
	return true
}

// refusalsAllowed returns how often a write may fail with err, while the backend takes another state, before that is a
// refusal. A network, or a server that restarts, can fail many times in a row.
func refusalsAllowed(err error) int {
	var network net.Error
	var passing interface{ Temporary() bool }
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &passing) && passing.Temporary() {
		return maxPutBacks
	}
	return maxRefusals
}

// isUnwritable reports whether writing a state again cannot help: it is no JSON, or its key holds something else. Some
// of Machinery's backends keep nothing of an error but its text. The end of a connection is io.EOF, as is the end of
// what is no JSON: it does not say that a state is foreign.
func isUnwritable(err error) bool {
	text := err.Error()
	return strings.Contains(text, "json: unsupported ") || strings.Contains(text, "json: error calling ") ||
		strings.Contains(text, "WRONGTYPE")
}
