package middleware

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// call runs a task on restored arguments and puts what it returns in results.
func (t *task) call(ctx context.Context, reflected []any, results []any) (err error) {
	// A panic passes through to Machinery, but is a failure like any other.
	err = tasks.ErrTaskPanicked
	defer func() { noteFailure(ctx, err) }()

	ctx = extract(ctx, t.m.propagator, tasks.SignatureFromContext(ctx))
	ctx, ended := t.m.reporter.running(ctx, t.name)
	defer func() { ended(err) }()
	args, err := t.arguments(ctx, reflected)
	if err != nil {
		return t.notRestored(ctx, err)
	}
	err = tasks.ErrTaskPanicked
	returned, err := t.run(ctx, args)
	if err != nil {
		return t.m.errors.asFailure(ctx, t.name, err)
	}
	for i := range results {
		if _, results[i], err = t.m.results.asSent(ctx, t.name, t.scope, returned[i].Interface()); err != nil {
			return final(ctx, fmt.Errorf("task %q: result %d: %w", t.name, i+1, err))
		}
	}
	return nil
}

// run calls the task's function and returns its results, or its error.
func (t *task) run(ctx context.Context, args []reflect.Value) (results []reflect.Value, err error) {
	started := t.m.reporter.now()
	err = tasks.ErrTaskPanicked
	defer func() { t.reportFailure(ctx, started, err) }()

	if !t.context {
		args = args[1:]
	}
	results = t.function.Call(args)
	if last := results[t.results]; !last.IsNil() {
		return nil, last.Interface().(error)
	}
	return results, nil
}

// reportFailure tells the observer of a run that has ended with an error.
func (t *task) reportFailure(ctx context.Context, started time.Time, err error) {
	if err != nil && !isRetried(ctx, err) {
		t.m.reporter.report(ctx, Observer.Failed, Observation{Task: t.name, Duration: since(started), Err: err})
	}
}

// final makes Machinery fail the task at once with err, whose reasons its sender is told: what can never succeed,
// because an argument or a result cannot travel, is not retried.
func final(ctx context.Context, err error) error {
	if signature := tasks.SignatureFromContext(ctx); signature != nil {
		signature.RetryCount = 0
	}
	return &refusedError{err}
}

// noteFailure keeps the error of a task that will not be retried, without what its text has for the caller alone.
func noteFailure(ctx context.Context, err error) {
	if err == nil || isRetried(ctx, err) {
		return
	}
	if d := deliveries.of(tasks.SignatureFromContext(ctx)); d != nil {
		d.failure = err
		switch err := err.(type) {
		case *refusedError:
			d.failure = err.error
		case *sentError:
			d.failure = err.error
		}
	}
}

// isRetried reports whether Machinery runs a task again that ends with err.
func isRetried(ctx context.Context, err error) bool {
	_, later := err.(tasks.ErrRetryTaskLater)
	s := tasks.SignatureFromContext(ctx)
	return later || s != nil && s.RetryCount > 0
}
