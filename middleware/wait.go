package middleware

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
)

// How often the result backend is asked: at first, and at most. A backend that
// gives hints may be slow to be asked without one, but not slower than that: a
// worker with another backend may end the task.
const (
	firstPoll      = time.Millisecond
	lastPoll       = 50 * time.Millisecond
	lastHintedPoll = 250 * time.Millisecond
)

// costlyQuestion is how long asking may take to be done again at the next hint:
// a chord asks for each of its members, and each of these hints at its end.
const costlyQuestion = 10 * time.Millisecond

// wait asks for a result until there is one.
func (m *Middleware) wait(ctx context.Context, res Result) ([]reflect.Value, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var p pace
	for {
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
			return nil, m.readFailure(ctx, err.Error())
		}
		if p.poll == 0 {
			p = newPace(m.hints(ctx, res))
		}
		p.rest(ctx, time.Since(asked))
	}
}

// errUnreadable stands for what Machinery panics with on a result that is no
// slice and says it is one.
var errUnreadable = errors.New("a result is not of the type that it names")

// ask returns a result, or result.ErrTimeoutReached where there is none yet.
func ask(res Result) (values []reflect.Value, err error) {
	defer func() {
		if recover() != nil {
			values, err = nil, errUnreadable
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

// hints returns the channel of the Notifier, or nil where there is none to tell
// of this result.
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

// uuidsOf returns the UUIDs of the tasks whose end may be that of a result. What
// Machinery keeps them in is unexported: where it is not as expected they are
// left out, and found by polling.
func uuidsOf(res Result) []string {
	switch res := res.(type) {
	case *result.AsyncResult:
		return appendUUIDs(nil, reflect.ValueOf(res))
	case *result.ChainAsyncResult:
		return appendUUIDs(nil, reflect.ValueOf(res).Elem().FieldByName("asyncResults"))
	case *result.ChordAsyncResult:
		fields := reflect.ValueOf(res).Elem()
		uuids := appendUUIDs(nil, fields.FieldByName("chordAsyncResult"))
		return appendUUIDs(uuids, fields.FieldByName("groupAsyncResults"))
	}
	return nil
}

// appendUUIDs takes an *AsyncResult, or a slice of them.
func appendUUIDs(uuids []string, field reflect.Value) []string {
	if !field.IsValid() {
		return uuids
	}
	if field.Kind() == reflect.Slice {
		for i := range field.Len() {
			uuids = appendUUIDs(uuids, field.Index(i))
		}
		return uuids
	}
	if field.Type() != reflect.TypeFor[*result.AsyncResult]() || field.IsNil() {
		return uuids
	}
	signature := field.Elem().FieldByName("Signature")
	if signature.IsNil() {
		return uuids
	}
	return append(uuids, signature.Elem().FieldByName("UUID").String())
}
