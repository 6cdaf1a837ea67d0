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

// ErrNoResult is returned for a nil Result, as a failed send gives it, and for
// one that ended without a value and without saying why.
var ErrNoResult = errors.New("no result")

// Await waits until a task, chain or chord has ended and restores its one
// result as a T. For a task that returns only an error, T is struct{}; for one
// with several results, see Scan. A T of a string kind takes any result that is
// a text, an envelope of another type included.
//
// It waits as long as ctx lets it, and then returns the context's error. It
// learns of the end at once where the result backend is a Notifier, else within
// 50 ms. When
// the task has failed it returns a *TaskError with the task's text, for a chord
// that of the member or callback that failed; when the result does not fit T,
// envelope.ErrTypeMismatch.
func Await[T any](ctx context.Context, m *Middleware, res Result) (T, error) {
	var value T
	var targets []any
	if _, none := any(value).(struct{}); !none {
		targets = append(targets, &value)
	}
	if err := Scan(ctx, m, res, targets...); err != nil {
		var zero T
		return zero, err
	}
	return value, nil
}

// Scan waits like Await, for a task with any number of results, and restores
// each into the value that its target, a non-nil pointer, points to.
func Scan(ctx context.Context, m *Middleware, res Result, targets ...any) error {
	if res == nil || reflect.ValueOf(res).Kind() == reflect.Pointer && reflect.ValueOf(res).IsNil() {
		return fmt.Errorf("await: %w: was the task sent?", ErrNoResult)
	}
	if err := m.checkResult(res); err != nil {
		return fmt.Errorf("await: %w", err)
	}
	values, err := m.wait(ctx, res)
	if err != nil {
		return err
	}
	if len(values) != len(targets) {
		return fmt.Errorf("await: the task has %d results, not %d: see middleware.Scan", len(values), len(targets))
	}
	for i, target := range targets {
		pointer := reflect.ValueOf(target)
		if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
			return fmt.Errorf("await: target %d is no pointer, or nil", i+1)
		}
		result := tasks.Arg{Type: values[i].Type().String(), Value: values[i].Interface()}
		restored, err := m.unpack(ctx, taskOf(res), result, pointer.Type().Elem())
		if err != nil {
			return fmt.Errorf("await: result %d (%s): %w", i+1, pointer.Type().Elem(), err)
		}
		pointer.Elem().Set(restored)
	}
	return nil
}

// chordFailure returns the error of the member or callback that has failed.
// Machinery's GetWithTimeout has seen it but keeps it to itself, so this reads
// the states that it left in unexported fields.
func (m *Middleware) chordFailure(ctx context.Context, res Result) error {
	chord, ok := res.(*result.ChordAsyncResult)
	if !ok {
		return ErrNoResult
	}
	fields := reflect.ValueOf(chord).Elem()
	members := fields.FieldByName("groupAsyncResults")
	for i := range members.Len() {
		if text, failed := failureOf(members.Index(i)); failed {
			return m.readFailure(ctx, text)
		}
	}
	if text, failed := failureOf(fields.FieldByName("chordAsyncResult")); failed {
		return m.readFailure(ctx, text)
	}
	return ErrNoResult
}

// failureOf returns the error text of an *AsyncResult that has seen its task
// fail.
func failureOf(asyncResult reflect.Value) (string, bool) {
	state := asyncResult.Elem().FieldByName("taskState").Elem()
	return state.FieldByName("Error").String(), state.FieldByName("State").String() == tasks.StateFailure
}

// taskOf returns the name of the task that a result is of, where it says so.
func taskOf(res Result) string {
	task, ok := res.(*result.AsyncResult)
	if !ok {
		return ""
	}
	return task.Signature.Name
}

func timedOut(res Result, err error) error {
	if task, ok := res.(*result.AsyncResult); ok {
		return fmt.Errorf("await task %q (%s): %w", task.Signature.Name, task.Signature.UUID, err)
	}
	return fmt.Errorf("await: %w", err)
}
