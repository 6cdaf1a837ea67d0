package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// follower notes what a TaskObserver is told, and has a tenant carried.
type follower struct {
	watcher
	events []string
	waits  []time.Duration
}

func (f *follower) Sending(ctx context.Context, t middleware.TaskObservation) (context.Context, func(error)) {
	f.note("send", t)
	return withTenant(ctx, tenantOf(ctx)+"/"+t.Task), func(err error) { f.events = append(f.events, fmt.Sprint("sent ", t.Task, " ", err)) }
}

func (f *follower) Running(ctx context.Context, t middleware.TaskObservation) (context.Context, func(middleware.Outcome, error)) {
	f.note("run", t)
	f.waits = append(f.waits, t.Waited)
	return withTenant(ctx, tenantOf(ctx)+"!"), func(o middleware.Outcome, err error) {
		f.events = append(f.events, fmt.Sprint("ran ", t.Task, " ", o, " ", err))
	}
}

func (f *follower) note(what string, t middleware.TaskObservation) {
	f.events = append(f.events, fmt.Sprintf("%s %s %t %s %d", what, t.Task, t.UUID != "", t.Queue, t.Run))
}

// newFollowed runs tasks in place.
func newFollowed(t *testing.T, fn any) (*middleware.Middleware, *follower) {
	f := &follower{}
	server, m := install(t, eager.New(), middleware.WithObserver(f), middleware.WithPropagator(tenants{}))
	require.NoError(t, m.RegisterTask("t", fn))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	return m, f
}

func TestATaskIsFollowedFromItsSenderToItsEnd(t *testing.T) {
	t.Parallel()
	var tenant string
	m, f := newFollowed(t, func(ctx context.Context) error {
		tenant = tenantOf(ctx)
		return nil
	})
	_, err := m.SendTask(withTenant(t.Context(), "acme"), &tasks.Signature{Name: "t", RoutingKey: "q"})
	require.NoError(t, err)
	assert.Equal(t, []string{"send t true q 1", "run t true q 1", "ran t success <nil>", "sent t <nil>"}, f.events)
	assert.Equal(t, "acme/t!", tenant)
	assert.GreaterOrEqual(t, f.waits[0], time.Duration(0))
}

func TestRunsOfATaskAreCountedOverItsRetries(t *testing.T) {
	t.Parallel()
	runs := 0
	var tenant string
	m, f := newFollowed(t, func(ctx context.Context) error {
		runs++
		tenant = tenantOf(ctx)
		return map[bool]error{true: errors.New("no")}[runs < 3]
	})
	_, err := m.SendTask(withTenant(t.Context(), "acme"), &tasks.Signature{Name: "t", RoutingKey: "q", RetryCount: 5})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"send t true q 1", "run t true q 1", "ran t retry no",
		"send t true q 2", "run t true q 2", "ran t retry no",
		"send t true q 3", "run t true q 3", "ran t success <nil>",
		"sent t <nil>", "sent t <nil>", "sent t <nil>"}, f.events)
	assert.Equal(t, "acme/t/t/t!", tenant, "a retry belongs to what came with the task")
}

func TestFailuresAndPanicsAreOutcomes(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"error": func() error { return errors.New("no") },
		"panic": func() error { panic("no") },
		"value": func(order) error { return nil },
	} {
		m, f := newFollowed(t, fn)
		_, _ = m.SendTask(t.Context(), &tasks.Signature{Name: "t", RoutingKey: "q"})
		require.Len(t, f.events, 4, name)
		assert.Contains(t, f.events[2], "ran t failure", name)
	}
}

func TestASendThatFailsIsFollowed(t *testing.T) {
	t.Parallel()
	m, f := newFollowed(t, func() error { return nil })
	_, err := m.SendTask(t.Context(), &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: stranger{}}}})
	require.Error(t, err)
	require.Len(t, f.events, 2)
	assert.Contains(t, f.events[1], "is not registered")
}

func TestATaskWaitsFromWhenItWasSentOrItsETA(t *testing.T) {
	t.Parallel()
	hour, ago := time.Hour, func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(-d).UnixMilli(), 10) }
	eta := time.Now().Add(-hour)
	for name, c := range map[string]struct {
		sent  any
		eta   *time.Time
		least time.Duration
		most  time.Duration
	}{
		"sent":                  {ago(2 * hour), nil, 2 * hour, 3 * hour},
		"delayed":               {ago(2 * hour), &eta, hour, 2 * hour},
		"by a clock that is on": {ago(-hour), nil, 0, 0},
		"by another sender":     {nil, &eta, -1, -1},
		"hostile":               {"yesterday", nil, -1, -1},
		"hostile too":           {[]string{"1"}, nil, -1, -1},
	} {
		f := &follower{}
		w := newWorkplace(t, middleware.WithObserver(f))
		require.NoError(t, w.m.RegisterTask("t", func() error { return nil }))
		s := signatureOf("t")
		s.ETA, s.Headers = c.eta, tasks.Headers{middleware.SentHeader: c.sent, middleware.RunsHeader: "-7"}
		require.NoError(t, w.deliver(s))
		require.Len(t, f.waits, 1, name)
		assert.GreaterOrEqual(t, f.waits[0], c.least, name)
		assert.LessOrEqual(t, f.waits[0], c.most, name)
	}
}

// faultyFollower panics where a TaskObserver is told something.
type faultyFollower struct{ watcher }

func (*faultyFollower) Sending(context.Context, middleware.TaskObservation) (context.Context, func(error)) {
	panic("s3cret")
}

func (*faultyFollower) Running(context.Context, middleware.TaskObservation) (context.Context, func(middleware.Outcome, error)) {
	return nil, func(middleware.Outcome, error) { panic("s3cret") }
}

func TestATaskGoesOnWhateverItsObserverDoes(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.WithObserver(&faultyFollower{}))
	ran := false
	require.NoError(t, m.RegisterTask("t", func(ctx context.Context) error {
		ran = ctx != nil
		return nil
	}))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := m.SendTask(t.Context(), &tasks.Signature{Name: "t"})
	require.NoError(t, err)
	assert.True(t, ran)
}

func TestWithoutATaskObserverNoHeaderIsAdded(t *testing.T) {
	t.Parallel()
	b := &recorder{}
	_, m := install(t, b, middleware.WithObserver(&watcher{}))
	_, err := m.SendTask(t.Context(), &tasks.Signature{Name: "t"})
	require.NoError(t, err)
	assert.NotContains(t, b.published[0].Headers, middleware.SentHeader)
}
