package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Result is what Machinery's SendTask, SendChain and SendChord return.
type Result interface {
	GetWithTimeout(timeout, sleep time.Duration) ([]reflect.Value, error)
}

// ErrNoResult is returned for a result that has ended without a value and
// without saying why.
var ErrNoResult = errors.New("ended without a result or an error")

// How often the result backend is asked: at first, and at most.
const (
	firstPoll = time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// Await waits until a task, chain or chord has ended and restores its one
// result as a T. For a task that returns only an error, T is struct{}.
//
// It waits as long as ctx lets it, and then returns the context's error. When
// the task has failed it returns an error with the task's text; when the result
// does not fit T, envelope.ErrTypeMismatch.
func Await[T any](ctx context.Context, m *Middleware, res Result) (T, error) {
	var value T
	values, err := wait(ctx, res)
	if err != nil {
		return value, err
	}
	t := reflect.TypeFor[T]()
	if len(values) == 0 && t == reflect.TypeFor[struct{}]() {
		return value, nil
	}
	if len(values) != 1 {
		return value, fmt.Errorf("await: the task has %d results, not one", len(values))
	}
	restored, err := m.restore(ctx, tasks.Arg{Type: values[0].Type().String(), Value: values[0].Interface()}, t)
	if err != nil {
		return value, fmt.Errorf("await: result (%s): %w", t, err)
	}
	reflect.ValueOf(&value).Elem().Set(restored)
	return value, nil
}

// wait polls a result, faster at first than later.
func wait(ctx context.Context, res Result) ([]reflect.Value, error) {
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		values, err := res.GetWithTimeout(firstPoll, firstPoll)
		if err == nil && values == nil {
			return nil, chordFailure(res)
		}
		if !errors.Is(err, result.ErrTimeoutReached) {
			return values, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(poll):
		}
	}
}

// chordFailure returns the error of the member or callback that has failed.
// Machinery's GetWithTimeout has seen it but keeps it to itself, so this reads
// the states that it left in unexported fields.
func chordFailure(res Result) error {
	chord, ok := res.(*result.ChordAsyncResult)
	if !ok {
		return ErrNoResult
	}
	fields := reflect.ValueOf(chord).Elem()
	members := fields.FieldByName("groupAsyncResults")
	for i := range members.Len() {
		if err := failureOf(members.Index(i)); err != nil {
			return err
		}
	}
	if err := failureOf(fields.FieldByName("chordAsyncResult")); err != nil {
		return err
	}
	return ErrNoResult
}

// failureOf returns the error of an *AsyncResult that has seen its task fail.
func failureOf(asyncResult reflect.Value) error {
	state := asyncResult.Elem().FieldByName("taskState").Elem()
	if state.FieldByName("State").String() != tasks.StateFailure {
		return nil
	}
	return errors.New(state.FieldByName("Error").String())
}
