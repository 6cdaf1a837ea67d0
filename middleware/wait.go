package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
)

// How often the result backend is asked: at first, and at the slowest. A backend that gives hints is asked more rarely,
// but still asked: a worker with another backend may end the task.
const (
	firstPoll      = time.Millisecond
	lastPoll       = 50 * time.Millisecond
	lastHintedPoll = 250 * time.Millisecond
)

// costlyQuestion is how long asking may take to be done again at the next hint: a chord asks for each of its members,
// and each of these hints at its end.
const costlyQuestion = 10 * time.Millisecond

// keptPoll is how often the backend is asked whether it still keeps the members of a group that have not ended.
const keptPoll = 5 * time.Second

// wait asks for a result until there is one.
func (m *Middleware) wait(ctx context.Context, res Result) ([]reflect.Value, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := firstPace(ctx, m, res)
	for checked := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return nil, timedOut(res, err)
		}
		asked := time.Now()
		values, err := ask(res)
		if err == nil && values == nil {
			return nil, m.chordFailure(ctx, res)
		}
		if err == nil || errors.Is(err, result.ErrBackendNotConfigured) {
			return values, err
		}
		if !errors.Is(err, result.ErrTimeoutReached) {
			return nil, m.taskError(ctx, res, err.Error())
		}
		if time.Since(checked) > keptPoll {
			checked = time.Now()
			if err := checkKept(m.server.GetBackend(), res); err != nil {
				return nil, err
			}
		}
		if p.poll == 0 {
			p = newPace(m.hints(ctx, res))
		}
		p.rest(ctx, time.Since(asked))
	}
}

// firstPace is that of a task which was sent a moment ago: that it has not ended need not be asked, and while it runs the
// Notifier can begin to look out for its end. Of others it is not known yet whether there is anything to wait for.
func firstPace(ctx context.Context, m *Middleware, res Result) (p pace) {
	if !m.justSent.has(res) {
		return pace{}
	}
	hints := m.hints(ctx, res)
	if hints == nil {
		return pace{}
	}
	p = newPace(hints)
	p.rest(ctx, 0)
	return p
}

// checkKept returns ErrStateGone where a chord, or another group's member, waits for a state that was there and is gone
// before the member has ended. A task that belongs to no group may end all the same, long after its state has expired.
// Only a Notifier is asked: each state of RabbitMQ's backend can be read once, and is for the result.
func checkKept(b backendsiface.Backend, res Result) error {
	if _, ok := b.(Notifier); !ok {
		return nil
	}
	for _, uuid := range unendedMembers(res) {
		if _, err := b.GetState(uuid); errors.Is(err, ErrStateGone) {
			return fmt.Errorf("await: the state of a group's member that had not ended has expired (see redisadapter.WithChordExpiry), "+
				"was evicted or purged, and where the sender died the member was never sent: %w", err)
		}
	}
	return nil
}

// chordFailure returns the error of the member or callback that has failed. Machinery's GetWithTimeout has seen it but
// keeps it to itself.
func (m *Middleware) chordFailure(ctx context.Context, res Result) error {
	failed, ok := failedIn(res)
	if !ok {
		return ErrNoResult
	}
	return m.taskError(ctx, res, failed.text)
}

// taskError is the failure of a result's task, or of the one in it that has failed.
func (m *Middleware) taskError(ctx context.Context, res Result, text string) error {
	err := m.unpacker.readFailure(ctx, text)
	if failed, ok := failedIn(res); ok {
		err.Task, err.UUID = failed.name, failed.uuid
	}
	return err
}

// errBadResult stands for what Machinery panics with on a result that is no slice and says it is one.
var errBadResult = errors.New("a result is not of the type that it names")

// ask returns a result, or result.ErrTimeoutReached where there is none yet.
func ask(res Result) (values []reflect.Value, err error) {
	defer func() {
		if recover() != nil {
			values, err = nil, errBadResult
		}
	}()
	task, ok := res.(*result.AsyncResult)
	if !ok {
		return res.GetWithTimeout(firstPoll, firstPoll)
	}
	// GetWithTimeout does no more, but sleeps.
	values, err = task.Touch()
	if err == nil && values == nil {
		err = result.ErrTimeoutReached
	}
	return values, err
}

// hints returns the channel of the Notifier, or nil where there is none to tell of this result.
func (m *Middleware) hints(ctx context.Context, res Result) <-chan struct{} {
	notifier, ok := m.server.GetBackend().(Notifier)
	uuids := uuidsOf(res)
	if !ok || len(uuids) == 0 {
		return nil
	}
	hints, err := notifier.NotifyEnd(ctx, uuids...)
	if err != nil {
		return nil
	}
	return hints
}

// A pace is how quickly questions follow one another.
type pace struct {
	hints      <-chan struct{}
	poll, last time.Duration
}

func newPace(hints <-chan struct{}) pace {
	if hints == nil {
		return pace{poll: firstPoll, last: lastPoll}
	}
	return pace{hints, firstPoll, lastHintedPoll}
}

// rest lasts until a hint comes, or else twice as long as the time before.
func (p *pace) rest(ctx context.Context, cost time.Duration) {
	if cost > costlyQuestion {
		waitForHint(ctx, cost, nil)
	}
	if waitForHint(ctx, p.poll, p.hints) {
		p.poll = firstPoll // a hint that comes too early must not be the last
		return
	}
	p.poll = min(2*p.poll, p.last)
}

func waitForHint(ctx context.Context, d time.Duration, hints <-chan struct{}) (hinted bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-hints:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
