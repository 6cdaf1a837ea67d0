package middleware_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// forEachKindOfBroker runs a test on workplaces whose broker delivers again by itself, and whose broker does not.
func forEachKindOfBroker(t *testing.T, test func(t *testing.T, w *workplace)) {
	for name, redelivers := range map[string]bool{"redelivers": true, "does not redeliver": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRedeliveringWorkplace(t, redelivers)
			synctest.Test(t, func(t *testing.T) { test(t, w) })
		})
	}
}

func (w *workplace) state(t *testing.T, uuid string) *tasks.TaskState {
	state, err := w.backend.GetState(uuid)
	require.NoError(t, err)
	return state
}

// failure returns the error that whoever awaits a task gets.
func (w *workplace) failure(t *testing.T, s *tasks.Signature) error {
	_, err := middleware.Await[struct{}](t.Context(), w.m, result.NewAsyncResult(s, w.server.GetBackend()))
	return err
}

func TestATaskWhoseResultIsRefusedHasRunOnceAndFailed(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		runs := 0
		run := func(string) (string, error) { runs++; return "", nil }
		require.NoError(t, w.server.RegisterTask("plain", run))
		require.NoError(t, w.m.RegisterTask("wrapped", run))
		w.backend.success = errors.New("object of s3cret too large for cache")
		for i, name := range []string{"plain", "wrapped"} {
			s := signatureOf(name, "x")
			s.OnSuccess = []*tasks.Signature{{Name: "next"}}
			require.NoError(t, w.deliver(s))
			assert.Equal(t, i+1, runs)
			require.Len(t, w.dead.tasks, i+1)
			assert.Equal(t, s.UUID, w.dead.tasks[i].UUID)
			require.ErrorIs(t, w.dead.reasons[i], middleware.ErrNotRecorded)
			require.ErrorIs(t, w.dead.reasons[i], w.backend.success)
			assert.True(t, w.state(t, s.UUID).IsFailure())
			failure := w.failure(t, s)
			require.ErrorIs(t, failure, middleware.ErrNotRecorded)
			require.EqualError(t, failure, "the task has run, but its end could not be recorded (*errors.errorString)")
		}
		assert.Empty(t, w.broker.published)
	})
}

func TestAResultThatIsNoJSONEndsTheTaskAtOnce(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		require.NoError(t, w.server.RegisterTask("t", func() (float64, error) { return math.NaN(), nil }))
		started := time.Now()
		require.NoError(t, w.deliver(signatureOf("t")))
		assert.Zero(t, time.Since(started))
		assert.True(t, w.state(t, "task_t").IsFailure())
		assert.Len(t, w.dead.tasks, 1)
	})
}

func TestACallbackThatCannotBeSentFails(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		require.NoError(t, w.m.RegisterTask("t", func() (order, error) { return order{}, nil }))
		w.broker.refuse = errors.New("too large")
		s := signatureOf("t")
		s.OnSuccess = []*tasks.Signature{{UUID: "task_next", Name: "next"}}
		require.NoError(t, w.deliver(s))
		assert.True(t, w.state(t, "task_t").IsSuccess())
		assert.Equal(t, "callback could not be sent: too large", w.state(t, "task_next").Error)
	})
}

func TestAResultOfAnOwnTypeOfAPlainTaskReachesCallbacksAsMachineryWouldSendIt(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	result := stranger{"s"}
	require.NoError(t, w.server.RegisterTask("t", func() (stranger, error) { return result, nil }))
	s := signatureOf("t")
	s.OnSuccess = []*tasks.Signature{{UUID: "task_next", Name: "next"}}
	require.NoError(t, w.deliver(s))
	require.Len(t, w.broker.published, 1)
	assert.Equal(t, []tasks.Arg{{Type: "middleware_test.stranger", Value: result}}, w.broker.published[0].Args)
}

// panicking is a workplace whose worker has handlers that panic.
func panicking(t *testing.T, w *workplace, pre, post func(*tasks.Signature)) {
	worker := w.server.NewWorker("w", 1)
	worker.SetPreTaskHandler(pre)
	worker.SetPostTaskHandler(post)
	_, err := w.server.GetBroker().StartConsuming("w", 1, worker)
	require.NoError(t, err)
}

func TestAHandlerThatPanicsEndsTheTaskInFailureAfterOneTry(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		ran := false
		require.NoError(t, w.m.RegisterTask("t", func(order) error { ran = true; return nil }))
		panicking(t, w, func(*tasks.Signature) { panic("s3cret") }, nil)
		s := signatureOf("t", orderOnWire)
		require.NoError(t, w.deliver(s))
		assert.False(t, ran)
		failure := w.failure(t, s)
		require.ErrorIs(t, failure, middleware.ErrPanicked)
		require.EqualError(t, failure, "processing panicked: string")
		require.Len(t, w.dead.tasks, 1)
		assert.ErrorIs(t, w.dead.reasons[0], middleware.ErrPanicked)
		assert.Empty(t, w.broker.published)
	})
}

func TestAHandlerThatReadsArgumentsOfARefusedTaskDoesNotHideWhyItIsRefused(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
		panicking(t, w, func(s *tasks.Signature) { _ = middleware.Args(s)[0] }, nil)
		require.NoError(t, w.deliver(signatureOf("t", "no order")))
		assert.Contains(t, w.state(t, "task_t").Error, "argument 1 (middleware_test.order)")
		require.Len(t, w.dead.tasks, 1)
		var refused *middleware.ArgumentError
		assert.ErrorAs(t, w.dead.reasons[0], &refused)
	})
}

func TestAPreTaskHandlerIsNotRunForATaskWhoseArgumentsCannotBeRestored(t *testing.T) {
	t.Parallel()
	handled := 0
	w := newWorkplace(t, middleware.WithPreTask(func(s *tasks.Signature) {
		handled++
		_ = s.Args[0]
	}))
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return nil }))
	for _, s := range []*tasks.Signature{signatureOf("t", "no order"), signatureOf("t", orderOnWire), signatureOf("plain", "x")} {
		require.NoError(t, w.deliver(s))
	}
	assert.Equal(t, 2, handled)
}

func TestAHandlerThatPanicsAfterTheTaskDoesNotRunItAgain(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		runs, outcome := 0, error(nil)
		require.NoError(t, w.m.RegisterTask("t", func(context.Context) error { runs++; return outcome }))
		panicking(t, w, nil, func(*tasks.Signature) { panic("s3cret") })
		require.NoError(t, w.deliver(signatureOf("t")))
		assert.True(t, w.state(t, "task_t").IsSuccess())
		assert.Empty(t, w.broker.published)

		outcome = errors.New("to be retried")
		s := signatureOf("t")
		s.RetryCount = 1
		require.NoError(t, w.deliver(s))
		assert.Equal(t, 2, runs)
		assert.Len(t, w.broker.published, 1, "the retry, and nothing else")
		assert.Empty(t, w.dead.tasks)
	})
}

func TestAPanicIsLoggedWithItsStackAndWithoutItsValue(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	w := newLoggedWorkplace(t, middleware.WithLogger(lines.logger()))
	require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
	panicking(t, w, func(*tasks.Signature) { panic("s3cret") }, nil)
	require.NoError(t, w.deliver(signatureOf("t")))
	line := lines.all()[0]
	assert.Contains(t, line, `error="*middleware.panicError: processing panicked: string"`)
	assert.Contains(t, line, "states_test.go")
	assert.NotContains(t, line, "s3cret")
}

func TestAResultIsWrittenThreeTimesBeforeItCountsAsRefusedAndTenTimesWhereConnectionsEnd(t *testing.T) {
	t.Parallel()
	for writes, failure := range map[int]error{3: errors.New("refused"), 10: io.EOF} {
		forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
			const many = 100
			backend := &interrupted{Backend: w.backend.Backend, failure: failure, left: many}
			w.backend.Backend = backend
			require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
			s := signatureOf("t")
			require.NoError(t, w.deliver(s))
			assert.Equal(t, writes, many-backend.left)
			assert.Equal(t, tasks.StateFailure, w.state(t, s.UUID).State)
		})
	}
}
