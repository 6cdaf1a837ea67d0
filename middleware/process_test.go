package middleware_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/brokers/errs"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
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
	received, started, retry, success, failure error
}

func (f *flaky) SetStateReceived(s *tasks.Signature) error {
	if f.received != nil {
		return f.received
	}
	return f.Backend.SetStateReceived(s)
}

func (f *flaky) SetStateStarted(s *tasks.Signature) error {
	if f.started != nil {
		return f.started
	}
	return f.Backend.SetStateStarted(s)
}

func (f *flaky) SetStateRetry(s *tasks.Signature) error {
	if f.retry != nil {
		return f.retry
	}
	return f.Backend.SetStateRetry(s)
}

func (f *flaky) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if f.success != nil {
		return f.success
	}
	return f.Backend.SetStateSuccess(s, results)
}

func (f *flaky) SetStateFailure(s *tasks.Signature, reason string) error {
	if f.failure != nil {
		return f.failure
	}
	return f.Backend.SetStateFailure(s, reason)
}

type letterBox struct {
	mu      sync.Mutex
	tasks   []*tasks.Signature
	reasons []error
	refuse  func() error
}

func (g *letterBox) Push(_ context.Context, s *tasks.Signature, reason error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tasks, g.reasons = append(g.tasks, s), append(g.reasons, reason)
	if g.refuse != nil {
		return g.refuse()
	}
	return nil
}

type workplace struct {
	registry *envelope.Registry
	broker   *delivering
	backend  *flaky
	dead     *letterBox
	server   *machinery.Server
	m        *middleware.Middleware
}

// newWorkplace is a worker whose messages the test delivers by hand.
func newWorkplace(t *testing.T, opts ...middleware.Option) *workplace {
	inner := &delivering{}
	return newWorkplaceOn(t, inner, inner, opts...)
}

// newWorkplaceOn is a workplace whose broker is outer, which hands the processor to inner, and whose backend may sign.
func newWorkplaceOn(t *testing.T, inner *delivering, outer brokersiface.Broker, opts ...middleware.Option) *workplace {
	w := &workplace{broker: inner, backend: &flaky{Backend: eagerbackend.New()}, dead: &letterBox{}}
	w.server = newServer(outer)
	w.server.SetBackend(w.backend)
	var err error
	w.registry = registry()
	w.m, err = middleware.Install(w.server, w.registry, append([]middleware.Option{middleware.WithDeadLetters(w.dead)}, opts...)...)
	require.NoError(t, err)
	_, err = w.server.GetBroker().StartConsuming("w", 1, w.m.NewWorker("w", 1))
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

func TestATaskThatCouldNotBeStartedIsPutBackAsItCame(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(o order) (order, error) { return o, nil }))
	synctest.Test(t, func(t *testing.T) {
		for _, breakBackend := range []func(){
			func() { w.backend.received = errors.New("down") },
			func() { w.backend.received, w.backend.started = nil, errors.New("down") },
		} {
			breakBackend()
			w.broker.published = nil
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
			assert.Equal(t, time.Second, time.Until(*back.ETA))
		}
	})
	assert.Empty(t, w.dead.tasks)
}

// headerKeeper is a broker that refuses the first task, and keeps the headers of each.
type headerKeeper struct {
	*delivering
	headers []tasks.Headers
}

func (k *headerKeeper) Publish(ctx context.Context, s *tasks.Signature) error {
	if k.headers = append(k.headers, s.Headers); len(k.headers) == 1 {
		return errors.New("not now")
	}
	return k.delivering.Publish(ctx, s)
}

// A broker may still send, or log, what it was given before.
func TestATaskThatIsPutBackAgainHasHeadersOfItsOwn(t *testing.T) {
	t.Parallel()
	inner := &delivering{}
	outer := &headerKeeper{delivering: inner}
	w := newWorkplaceOn(t, inner, outer)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received = errors.New("down")
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, w.deliver(signatureOf("t", orderOnWire)))
	})
	require.Len(t, outer.headers, 2)
	outer.headers[1]["later"] = "1"
	assert.NotContains(t, outer.headers[0], "later")
}

func TestATaskThatKeepsComingBackGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.server.RegisterTask("plain", func([]string) error { return nil }))
	require.NoError(t, w.m.RegisterTask("wrapped", func([]string) error { return nil }))
	for _, name := range []string{"plain", "wrapped"} {
		s := signatureOf(name)
		s.Args = []tasks.Arg{{Type: "[]string", Value: true}}
		require.NoError(t, w.deliver(s))
	}
	assert.Empty(t, w.broker.published, "it would panic again")
	require.Len(t, w.dead.tasks, 2)
	require.ErrorIs(t, w.dead.reasons[1], middleware.ErrPanicked)
	require.ErrorContains(t, w.dead.reasons[1], "*reflect.ValueError: reflect: call of reflect.Value.Len on bool Value")
	assert.NotContains(t, w.dead.reasons[1].Error(), "goroutine")
	failure := w.failure(t, w.dead.tasks[1])
	require.ErrorIs(t, failure, middleware.ErrPanicked)
	assert.EqualError(t, failure, w.dead.reasons[1].Error())
}

func TestACountOfAttemptsThatIsNoneDoesNotHurtTheWorker(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	without := newWorkplace(t)
	with := newWorkplace(t, middleware.WithDeadLetterFailures())
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
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.dead.refuse = func() error { return errors.New("full") }
	require.NoError(t, w.deliver(signatureOf("t", "no order")))
	w.dead.refuse = func() error { panic("broken") }
	require.NoError(t, w.deliver(signatureOf("t", "no order")))
	assert.Equal(t, int64(2), w.m.LostDeadLetters())
}

func TestATaskThatShallStayInTheQueueStaysThere(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return errors.New("no") }))
	s := signatureOf("t", orderOnWire)
	s.StopTaskDeletionOnError = true
	assert.ErrorIs(t, w.deliver(s), errs.ErrStopTaskDeletion)
}

func TestAnUnknownTypeOrVersionIsRetriedByPolicyAndThenFails(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"type":    `{"$envelope":1,"type":"shop.New","data":{}}`,
		"version": `{"$envelope":1,"type":"shop.Order","version":2,"data":{}}`,
		"codec":   `{"$envelope":1,"type":"shop.Order","codec":"cbor","data":"oA=="}`,
	} {
		t.Run(name, func(t *testing.T) {
			putsOffThenFails(t, text, []time.Duration{time.Minute, time.Minute}, middleware.RetryUnknown(time.Minute, 2))
		})
		t.Run(name+" by a policy", func(t *testing.T) {
			delays := []time.Duration{time.Second, 0, time.Hour}
			putsOffThenFails(t, text, delays, middleware.RetryUnknownFunc(func(attempt int) (time.Duration, bool) {
				if attempt > 3 {
					return time.Minute, false
				}
				return []time.Duration{time.Second, -time.Second, time.Hour}[attempt-1], true
			}))
		})
		t.Run(name+" without a policy", func(t *testing.T) { putsOffThenFails(t, text, nil) })
	}
}

// putsOffThenFails delivers a task whose argument is not known until it fails. The clock stands still.
func putsOffThenFails(t *testing.T, text string, delays []time.Duration, opts ...middleware.Option) {
	w := newWorkplace(t, opts...)
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, w.m.RegisterTask("t", func(any) error { return nil }))
		s := signatureOf("t", text)
		for i, delay := range delays {
			require.NoError(t, w.deliver(s))
			require.Len(t, w.broker.published, i+1)
			s = w.broker.published[i]
			assert.Equal(t, text, s.Args[0].Value)
			assert.Equal(t, delay, time.Until(*s.ETA))
			assert.Equal(t, strconv.Itoa(i+1), s.Headers[middleware.UnknownHeader])
		}
		assert.Empty(t, w.dead.tasks)
		require.NoError(t, w.deliver(s))
		assert.Len(t, w.broker.published, len(delays))
		require.Len(t, w.dead.tasks, 1)
		state, err := w.backend.GetState(s.UUID)
		require.NoError(t, err)
		assert.True(t, state.IsFailure())
	})
}

func TestHandlersReadTheRestoredArguments(t *testing.T) {
	t.Parallel()
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
