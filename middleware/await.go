package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Result is what Machinery's SendTask, SendChain and SendChord return.
type Result interface {
	GetWithTimeout(timeout, sleep time.Duration) ([]reflect.Value, error)
}

// ErrNoResult is returned for a nil Result, as a failed send gives it, and for one that ended without a value and
// without saying why.
var ErrNoResult = errors.New("no result")

// ErrStateGone is returned by Await for a chord that cannot be completed any more, and for a member of another group:
// the state of a member that had not ended is not kept. It has expired, as that of a member which was never sent because
// the sender died, or was evicted or purged. A backend that can tell wraps it in the error of its GetState, as package
// redisadapter's does.
var ErrStateGone = errors.New("state is not kept")

// Await waits until a task, chain or chord has ended and restores its one result as a T. For a task that returns only
// an error, T is struct{}; for one with several results, see Scan. A T of a string kind takes any result that is a
// text, an envelope of another type included.
//
// It waits as long as ctx lets it, and then returns the context's error. It learns of the end at once where the result
// backend is a Notifier, else within 50 ms. When the task has failed it returns a *TaskError, for a chain that of the
// step and for a chord that of the member or callback that failed; when the result does not fit T,
// envelope.ErrTypeMismatch; and where it has seen the state of a member, of a chord or another group, expire before the
// member had ended, ErrStateGone.
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

// Scan waits like Await, for a task with any number of results, and restores each into the value that its target, a
// non-nil pointer, points to.
func Scan(ctx context.Context, m *Middleware, res Result, targets ...any) error {
	if res == nil || reflect.ValueOf(res).Kind() == reflect.Pointer && reflect.ValueOf(res).IsNil() {
		return fmt.Errorf("await: %w: was the task sent?", ErrNoResult)
	}
	res = machineryResult(res)
	if m.signing != nil {
		if err := checkResult(res); err != nil {
			return fmt.Errorf("await: %w", err)
		}
	}
	values, err := m.wait(ctx, res)
	if err != nil {
		return err
	}
	if len(values) != len(targets) {
		return wrongCount(len(values), len(targets))
	}
	for i, target := range targets {
		pointer := reflect.ValueOf(target)
		if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
			return fmt.Errorf("await: target %d is no pointer, or nil: pass `&value`", i+1)
		}
		result := tasks.Arg{Type: values[i].Type().String(), Value: values[i].Interface()}
		restored, err := m.unpacker.unpack(ctx, nameOf(res), result, pointer.Type().Elem())
		if err != nil {
			return fmt.Errorf("await: result %d (%s): %w", i+1, pointer.Type().Elem(), err)
		}
		pointer.Elem().Set(restored)
	}
	return nil
}

// wrongCount says what to call for a task with so many results.
func wrongCount(results, targets int) error {
	call := "middleware.Scan(ctx, m, result" + strings.Repeat(", &value", results) + ")"
	if results == 0 {
		call = "middleware.Await[struct{}](ctx, m, result)"
	}
	return fmt.Errorf("await: the task has %d results, not %d: call %s", results, targets, call)
}

// nameOf returns the name of the task that a result is of, where it says so.
func nameOf(res Result) string {
	task, ok := res.(*result.AsyncResult)
	if !ok {
		return ""
	}
	return task.Signature.Name
}

func timedOut(res Result, err error) error {
	task, ok := res.(*result.AsyncResult)
	switch {
	case !ok:
		return fmt.Errorf("await: %w", err)
	case task.Signature.Name == "": // made of a UUID alone
		return fmt.Errorf("await task %s: %w", task.Signature.UUID, err)
	default:
		return fmt.Errorf("await task %q (%s): %w", task.Signature.Name, task.Signature.UUID, err)
	}
}
