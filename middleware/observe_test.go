package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// watcher keeps what an observer is told.
type watcher struct {
	mu                     sync.Mutex
	sent, restored, failed []middleware.Observation
}

func (w *watcher) Sent(_ context.Context, o middleware.Observation)     { w.keep(&w.sent, o) }
func (w *watcher) Restored(_ context.Context, o middleware.Observation) { w.keep(&w.restored, o) }
func (w *watcher) Failed(_ context.Context, o middleware.Observation)   { w.keep(&w.failed, o) }

func (w *watcher) keep(list *[]middleware.Observation, o middleware.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, o)
}

// timeless returns observations without their durations, which must be there.
func timeless(t *testing.T, seen []middleware.Observation) []middleware.Observation {
	var without []middleware.Observation
	for _, o := range seen {
		assert.Positive(t, o.Duration)
		o.Duration = 0
		without = append(without, o)
	}
	return without
}

func TestEveryEnvelopeIsObservedOnItsWayOutAndIn(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	server, m := install(t, eager.New(), middleware.WithObserver(seen))
	require.NoError(t, m.RegisterTask("t", func(o *order, _ int64, _ string) (order, string, error) { return *o, "native", nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	s, err := m.Signature(t.Context(), "t", order{"o-1", 2.5}, int64(7), "native")
	require.NoError(t, err)
	res, err := m.SendTask(t.Context(), s)
	require.NoError(t, err)
	var o order
	var text string
	require.NoError(t, middleware.Scan(t.Context(), m, res, &o, &text))

	order := middleware.Observation{Task: "t", Type: "shop.Order", Bytes: len(orderOnWire)}
	pointer := order
	pointer.Type = "*shop.Order"
	assert.Equal(t, []middleware.Observation{order, order}, timeless(t, seen.sent), "argument and result")
	assert.Equal(t, []middleware.Observation{pointer, order}, timeless(t, seen.restored), "argument and awaited result")
	assert.Empty(t, seen.failed)
}

func TestValuesOfMembersOfAGroupAreObservedOnce(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	_, m := install(t, &recorder{}, middleware.WithObserver(seen))
	group, err := tasks.NewGroup(
		&tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}},
		&tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{"o-2", 2.5}}}},
	)
	require.NoError(t, err)
	_, err = m.SendGroup(t.Context(), group, 0)
	require.NoError(t, err)
	assert.Len(t, seen.sent, 2)
}

func TestAnInterfaceIsObservedAsTheTypeThatTheEnvelopeChose(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	w := newWorkplace(t, middleware.WithObserver(seen))
	require.NoError(t, w.m.RegisterTask("t", func(any) error { return nil }))
	require.NoError(t, w.deliver(signatureOf("t", orderOnWire)))
	require.NoError(t, w.deliver(signatureOf("t", `{"$envelope":1,"type":"any","data":null}`)))
	require.Len(t, seen.restored, 2)
	assert.Equal(t, "shop.Order", seen.restored[0].Type)
	assert.Equal(t, "any", seen.restored[1].Type)
}

func TestEnvelopesOpenedForPlainTasksAreObserved(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	server, m := install(t, eager.New(), middleware.EnvelopeSlices(), middleware.WithObserver(seen))
	require.NoError(t, server.RegisterTask("plain", func([]int64) error { return nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := run[struct{}](t, server, m, "plain", []int64{1})
	require.NoError(t, err)
	require.Len(t, seen.restored, 1)
	assert.Equal(t, "[]int64", seen.restored[0].Type)
	assert.Equal(t, "plain", seen.restored[0].Task)
}

func TestAnArgumentThatCannotBeSentIsObserved(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	_, m := install(t, &recorder{}, middleware.WithObserver(seen))
	_, err := m.Signature(t.Context(), "t", stranger{"s3cret"})
	require.Error(t, err)
	_, err = m.SendTask(t.Context(), &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: stranger{"s3cret"}}}})
	require.Error(t, err)
	require.Len(t, seen.failed, 2)
	for _, o := range seen.failed {
		assert.Equal(t, "t", o.Task)
		assert.Equal(t, "middleware_test.stranger", o.Type)
		assert.ErrorIs(t, o.Err, envelope.ErrUnregistered)
	}
	assert.Empty(t, seen.sent)
}

func TestAnArgumentThatCannotBeRestoredIsObservedOnceAndByTheParametersType(t *testing.T) {
	t.Parallel()
	const foreign = `{"$envelope":1,"type":"hostile.Name","data":7}`
	for name, c := range map[string]struct {
		args  []tasks.Arg
		want  string
		bytes int
	}{
		"envelope of another type": {[]tasks.Arg{{Type: "string", Value: foreign}, {Type: "int8", Value: int64(1)}}, "shop.Order", len(foreign)},
		"overflow":                 {[]tasks.Arg{{Type: "string", Value: orderOnWire}, {Type: "int64", Value: int64(300)}}, "int8", 0},
		"too few":                  {nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &watcher{}
			w := newWorkplace(t, middleware.WithObserver(seen))
			require.NoError(t, w.m.RegisterTask("t", func(order, int8) error { return nil }))
			s := signatureOf("t")
			s.Args = c.args
			require.NoError(t, w.deliver(s))
			require.Len(t, seen.failed, 1)
			assert.Equal(t, "t", seen.failed[0].Task)
			assert.Equal(t, c.want, seen.failed[0].Type)
			assert.Equal(t, c.bytes, seen.failed[0].Bytes)
			assert.Error(t, seen.failed[0].Err)
		})
	}
}

func TestAResultThatCannotBeSentIsObservedOnce(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	w := newWorkplace(t, middleware.WithObserver(seen))
	require.NoError(t, w.m.RegisterTask("t", func() (any, error) { return stranger{"s3cret"}, nil }))
	require.NoError(t, w.deliver(signatureOf("t")))
	require.Len(t, seen.failed, 1)
	assert.Equal(t, "middleware_test.stranger", seen.failed[0].Type)
}

func TestATaskIsObservedToFailWhenItsRetriesAreUsedUp(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	w := newWorkplace(t, middleware.WithObserver(seen))
	failure := &outOfStock{"tea"}
	require.NoError(t, w.m.RegisterTask("fail", func() error { return failure }))
	require.NoError(t, w.m.RegisterTask("later", func() error { return tasks.NewErrRetryTaskLater("busy", 0) }))
	s := signatureOf("fail")
	s.RetryCount = 1
	require.NoError(t, w.deliver(s))
	require.NoError(t, w.deliver(signatureOf("later")))
	assert.Empty(t, seen.failed)
	require.NoError(t, w.deliver(w.broker.published[0]))
	want := []middleware.Observation{{Task: "fail", Err: failure}}
	assert.Equal(t, want, timeless(t, seen.failed), "the error that the task returned")
}

func TestATaskThatPanicsIsObservedAndFailsAsWithoutAnObserver(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	server, m := install(t, eager.New(), middleware.WithObserver(seen))
	require.NoError(t, m.RegisterTask("t", func() error { panic("s3cret") }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := run[struct{}](t, server, m, "t")
	require.EqualError(t, err, "s3cret")
	assert.Equal(t, []middleware.Observation{{Task: "t", Err: tasks.ErrTaskPanicked}}, timeless(t, seen.failed))
}

func TestATaskThatTheWorkerCannotSeeToItsEndIsObserved(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	w := newWorkplace(t, middleware.WithObserver(seen))
	require.NoError(t, w.server.RegisterTask("plain", func(bool) error { return nil }))
	s := signatureOf("plain", "s3cret")
	s.Args[0].Type = "bool"
	require.NoError(t, w.deliver(s))
	assert.Equal(t, []middleware.Observation{{Task: "plain", Err: envelope.ErrTypeMismatch}}, seen.failed)

	w.backend.received = errors.New("down")
	s.Headers = tasks.Headers{middleware.AttemptsHeader: "10"}
	require.NoError(t, w.deliver(s))
	require.Len(t, seen.failed, 2)
	assert.ErrorIs(t, seen.failed[1].Err, middleware.ErrPutBack)
}

func TestObserversNeverSeeValues(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	w := newWorkplace(t, middleware.WithObserver(seen))
	require.NoError(t, w.m.RegisterTask("t", func(o order) (order, error) { return o, nil }))
	require.NoError(t, w.server.RegisterTask("plain", func(bool) error { return nil }))
	s, err := w.m.Signature(t.Context(), "t", order{ID: "s3cret"})
	require.NoError(t, err)
	require.NoError(t, w.deliver(s))
	require.NoError(t, w.deliver(signatureOf("t", "s3cret")))
	require.NoError(t, w.deliver(signatureOf("t", `{"$envelope":1,"type":"shop.Order","data":{"ID":"s3cret","Price":"s3cret"}}`)))
	plain := signatureOf("plain", "s3cret")
	plain.Args[0].Type = "bool"
	require.NoError(t, w.deliver(plain))
	_, err = w.m.Signature(t.Context(), "t", "s3cret\xff")
	require.Error(t, err)
	assert.NotEmpty(t, seen.sent)
	assert.NotEmpty(t, seen.restored)
	assert.Len(t, seen.failed, 4)
	assert.NotContains(t, fmt.Sprintf("%+v %+v %+v", seen.sent, seen.restored, seen.failed), "s3cret")
}

// explosive panics whatever it is told.
type explosive struct{}

func (explosive) Sent(context.Context, middleware.Observation)     { panic("sent") }
func (explosive) Restored(context.Context, middleware.Observation) { panic("restored") }
func (explosive) Failed(context.Context, middleware.Observation)   { panic("failed") }

func TestAnObserverThatPanicsFailsNeitherSendNorTask(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.WithObserver(explosive{}))
	require.NoError(t, m.RegisterTask("t", func(o order) (order, error) { return o, nil }))
	require.NoError(t, m.RegisterTask("fail", func() error { return errors.New("no") }))
	require.NoError(t, m.RegisterTask("panic", func() error { panic("no") }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	got, err := run[order](t, server, m, "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.Equal(t, order{"o-1", 2.5}, got)
	for _, name := range []string{"fail", "panic"} {
		_, err = run[struct{}](t, server, m, name)
		assert.EqualError(t, err, "no")
	}
	_, err = m.Signature(t.Context(), "t", stranger{})
	assert.ErrorIs(t, err, envelope.ErrUnregistered)
}
