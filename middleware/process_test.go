package middleware_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/brokers/errs"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// delivering is a broker that hands its consumer to the test.
type delivering struct {
	recorder
	processor brokersiface.TaskProcessor
	refuse    error
}

func (d *delivering) StartConsuming(_ string, _ int, p brokersiface.TaskProcessor) (bool, error) {
	d.processor = p
	return false, nil
}

func (d *delivering) Publish(ctx context.Context, s *tasks.Signature) error {
	if d.refuse != nil {
		return d.refuse
	}
	return d.recorder.Publish(ctx, s)
}

// flaky is a backend that does not take some state.
type flaky struct {
	backendsiface.Backend
	received, success error
}

func (f *flaky) SetStateReceived(s *tasks.Signature) error {
	if f.received != nil {
		return f.received
	}
	return f.Backend.SetStateReceived(s)
}

func (f *flaky) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if f.success != nil {
		return f.success
	}
	return f.Backend.SetStateSuccess(s, results)
}

type graveyard struct {
	mu      sync.Mutex
	tasks   []*tasks.Signature
	reasons []error
	refuse  func() error
}

func (g *graveyard) Push(_ context.Context, s *tasks.Signature, reason error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tasks, g.reasons = append(g.tasks, s), append(g.reasons, reason)
	if g.refuse != nil {
		return g.refuse()
	}
	return nil
}

type workplace struct {
	broker  *delivering
	backend *flaky
	dead    *graveyard
	server  *machinery.Server
	m       *middleware.Middleware
}

// newWorkplace is a worker whose messages the test delivers by hand.
func newWorkplace(t *testing.T, opts ...middleware.Option) *workplace {
	w := &workplace{broker: &delivering{}, backend: &flaky{Backend: eagerbackend.New()}, dead: &graveyard{}}
	w.server, w.m = install(t, w.broker, append(opts, middleware.WithDeadLetters(w.dead))...)
	w.server.SetBackend(w.backend)
	_, err := w.server.GetBroker().StartConsuming("w", 1, w.m.NewWorker("w", 1))
	require.NoError(t, err)
	return w
}

func (w *workplace) deliver(s *tasks.Signature) error { return w.broker.processor.Process(s) }

func signatureOf(name string, args ...string) *tasks.Signature {
	s := &tasks.Signature{UUID: "task_" + name, Name: name}
	for _, text := range args {
		s.Args = append(s.Args, tasks.Arg{Type: "string", Value: text})
	}
	return s
}

func TestATaskWhoseStateCannotBeWrittenIsPutBackAsItCame(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(o order) (order, error) { return o, nil }))
	for _, breakBackend := range []func(){
		func() { w.backend.received = errors.New("down") },
		func() { w.backend.received, w.backend.success = nil, errors.New("down") },
	} {
		breakBackend()
		w.broker.published = nil
		before := time.Now()
		s := signatureOf("t", orderOnWire)
		s.RetryCount = 2
		s.OnSuccess = []*tasks.Signature{{Name: "next"}}
		require.NoError(t, w.deliver(s))
		require.Len(t, w.broker.published, 1)
		back := w.broker.published[0]
		assert.Equal(t, s.UUID, back.UUID)
		assert.Equal(t, 2, back.RetryCount)
		assert.Equal(t, orderOnWire, back.Args[0].Value)
		assert.Empty(t, back.OnSuccess[0].Args)
		assert.Equal(t, "1", back.Headers[middleware.AttemptsHeader])
		assert.True(t, back.ETA.After(before))
	}
	assert.Empty(t, w.dead.tasks)
}

func TestATaskThatKeepsComingBackGoesToTheDeadLetters(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received = errors.New("down")
	s := signatureOf("t", orderOnWire)
	for len(w.dead.tasks) == 0 {
		require.Less(t, len(w.broker.published), 100)
		require.NoError(t, w.deliver(s))
		if n := len(w.broker.published); n > 0 {
			s = w.broker.published[n-1]
		}
	}
	assert.ErrorIs(t, w.dead.reasons[0], middleware.ErrPutBack)
	assert.ErrorContains(t, w.dead.reasons[0], "down")
	assert.Equal(t, "task_t", w.dead.tasks[0].UUID)
	assert.Len(t, w.broker.published, 10)
}

func TestAnArgumentThatMakesMachineryPanicDoesNotEndTheWorker(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.server.RegisterTask("plain", func([]string) error { return nil }))
	require.NoError(t, w.m.RegisterTask("wrapped", func([]string) error { return nil }))
	for _, name := range []string{"plain", "wrapped"} {
		s := signatureOf(name)
		s.Args = []tasks.Arg{{Type: "[]string", Value: true}}
		require.NoError(t, w.deliver(s))
	}
	require.Len(t, w.broker.published, 2, "put back, until they go to the dead letters")

	last := w.broker.published[1]
	last.Headers = tasks.Headers{middleware.AttemptsHeader: "10"}
	require.NoError(t, w.deliver(last))
	require.Len(t, w.dead.tasks, 1)
	require.ErrorIs(t, w.dead.reasons[0], middleware.ErrPutBack)
	state, err := w.backend.GetState(last.UUID)
	require.NoError(t, err)
	assert.True(t, state.IsFailure())
}

func TestACountOfAttemptsThatIsNoneDoesNotHurtTheWorker(t *testing.T) {
	for _, count := range []any{"-9", "-9223372036854775808", "99999999999999999999", "x", 7} {
		w := newWorkplace(t)
		require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
		w.backend.received = errors.New("down")
		s := signatureOf("t", orderOnWire)
		s.Headers = tasks.Headers{middleware.AttemptsHeader: count}
		require.NoError(t, w.deliver(s))
		require.Len(t, w.broker.published, 1)
		assert.Equal(t, "1", w.broker.published[0].Headers[middleware.AttemptsHeader])
	}
}

func TestAStopEndsTheWaitForABrokerThatTakesNothing(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received, w.broker.refuse = errors.New("backend down"), errors.New("broker down")
	w.server.GetBroker().StopConsuming()
	w.server.GetBroker().StopConsuming()
	err := w.deliver(signatureOf("t", orderOnWire))
	require.ErrorContains(t, err, "backend down")
	require.ErrorIs(t, err, w.broker.refuse, "the broker must know that nobody has the task")
}

func TestAnArgumentOfAnUnknownTypeIsADeadLetter(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return nil }))
	s := signatureOf("plain", "x")
	s.Args[0].Type = "nonsense"
	require.NoError(t, w.deliver(s), "an error would tear the consumer down")
	require.Len(t, w.dead.tasks, 1)
	assert.Equal(t, s.Args, w.dead.tasks[0].Args)
	state, err := w.backend.GetState(s.UUID)
	require.NoError(t, err)
	assert.True(t, state.IsFailure())
	assert.Empty(t, w.broker.published)
}

func TestAnEnvelopeThatCannotBeOpenedIsADeadLetterAsItCame(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	s := signatureOf("t", `{"$envelope":1,"type":"shop.Order","data":7}`)
	s.RetryCount = 2
	require.NoError(t, w.deliver(s))
	require.Len(t, w.dead.tasks, 1)
	assert.Equal(t, 2, w.dead.tasks[0].RetryCount)
	var argument *middleware.ArgumentError
	require.ErrorAs(t, w.dead.reasons[0], &argument)
	assert.Equal(t, 1, argument.Position)
}

func TestFailuresAreDeadLettersByOptionWhenTheirRetriesAreUsedUp(t *testing.T) {
	without := newWorkplace(t)
	with := newWorkplace(t, middleware.DeadLetterFailures())
	for _, w := range []*workplace{without, with} {
		require.NoError(t, w.m.RegisterTask("fail", func(order) error { return errors.New("no") }))
		require.NoError(t, w.m.RegisterTask("panic", func(order) error { panic("no") }))
		require.NoError(t, w.m.RegisterTask("later", func(order) error { return tasks.NewErrRetryTaskLater("busy", 0) }))
		require.NoError(t, w.m.RegisterTask("fine", func(order) error { return nil }))
		retried := signatureOf("fail", orderOnWire)
		retried.RetryCount = 1
		require.NoError(t, w.deliver(retried))
		require.NoError(t, w.deliver(signatureOf("later", orderOnWire)))
		require.NoError(t, w.deliver(signatureOf("fine", orderOnWire)))
		assert.Empty(t, w.dead.tasks)
		require.NoError(t, w.deliver(signatureOf("fail", orderOnWire)))
		require.NoError(t, w.deliver(signatureOf("panic", orderOnWire)))
	}
	assert.Empty(t, without.dead.tasks)
	require.Len(t, with.dead.tasks, 2)
	assert.EqualError(t, with.dead.reasons[0], "no")
	assert.ErrorIs(t, with.dead.reasons[1], tasks.ErrTaskPanicked)
}

func TestDeadLettersThatFailDoNotFailTheWorker(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.dead.refuse = func() error { return errors.New("full") }
	require.NoError(t, w.deliver(signatureOf("t", "no order")))
	w.dead.refuse = func() error { panic("broken") }
	require.NoError(t, w.deliver(signatureOf("t", "no order")))
	assert.Equal(t, int64(2), w.m.LostDeadLetters())
}

func TestATaskThatShallStayInTheQueueStaysThere(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return errors.New("no") }))
	s := signatureOf("t", orderOnWire)
	s.StopTaskDeletionOnError = true
	assert.ErrorIs(t, w.deliver(s), errs.ErrStopTaskDeletion)
}

func TestAnUnknownTypeOrVersionIsRetriedByPolicyAndThenFails(t *testing.T) {
	for name, text := range map[string]string{
		"type":    `{"$envelope":1,"type":"shop.New","data":{}}`,
		"version": `{"$envelope":1,"type":"shop.Order","version":2,"data":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkplace(t, middleware.RetryUnknown(time.Minute, 2))
			require.NoError(t, w.m.RegisterTask("t", func(any) error { return nil }))
			s := signatureOf("t", text)
			for attempt := range 2 {
				before := time.Now()
				require.NoError(t, w.deliver(s))
				require.Len(t, w.broker.published, attempt+1)
				s = w.broker.published[attempt]
				assert.Equal(t, text, s.Args[0].Value)
				assert.True(t, s.ETA.After(before.Add(50*time.Second)))
			}
			assert.Empty(t, w.dead.tasks)
			require.NoError(t, w.deliver(s))
			assert.Len(t, w.broker.published, 2)
			require.Len(t, w.dead.tasks, 1)
			state, err := w.backend.GetState(s.UUID)
			require.NoError(t, err)
			assert.True(t, state.IsFailure())
		})
	}
}

func TestHandlersReadTheRestoredArguments(t *testing.T) {
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(_ context.Context, o *order, n int8) (string, error) {
		o.ID = "changed"
		return o.ID, nil
	}))
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return nil }))
	var before, after []any
	var sent any
	worker := w.server.NewWorker("w", 1)
	worker.SetPreTaskHandler(func(s *tasks.Signature) {
		if args := middleware.Args(s); args != nil {
			before = []any{*args[0].(*order), args[1]}
		}
	})
	worker.SetPostTaskHandler(func(s *tasks.Signature) { after, sent = middleware.Args(s), s.Args[0].Value })
	_, err := w.server.GetBroker().StartConsuming("w", 1, worker)
	require.NoError(t, err)

	s := signatureOf("t", orderOnWire)
	s.Args = append(s.Args, tasks.Arg{Type: "int8", Value: int64(7)})
	require.NoError(t, w.deliver(s))
	assert.Equal(t, []any{order{"o-1", 2.5}, int8(7)}, before)
	assert.Equal(t, []any{&order{"changed", 2.5}, int8(7)}, after, "the very value that the task worked on")
	assert.Equal(t, orderOnWire, sent)
	assert.Nil(t, middleware.Args(s), "the task has ended")

	require.NoError(t, w.deliver(signatureOf("plain", "x")))
	assert.Nil(t, after)
	require.NoError(t, w.deliver(signatureOf("t", "broken", "arguments")))
	assert.Nil(t, after)
}
