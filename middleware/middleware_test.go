package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type order struct {
	ID    string
	Price float64
}

type stranger struct{ Name string }

// recorder is a broker that keeps what is published and delivers nothing.
type recorder struct {
	mu        sync.Mutex
	published []*tasks.Signature
}

func (r *recorder) Publish(_ context.Context, s *tasks.Signature) error {
	r.AdjustRoutingKey(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = append(r.published, s)
	_, err := json.Marshal(s)
	return err
}
func (r *recorder) AdjustRoutingKey(s *tasks.Signature)                { s.RoutingKey = "recorded" }
func (r *recorder) GetConfig() *config.Config                          { return &config.Config{} }
func (r *recorder) SetRegisteredTaskNames([]string)                    {}
func (r *recorder) IsTaskRegistered(string) bool                       { return true }
func (r *recorder) StopConsuming()                                     {}
func (r *recorder) GetPendingTasks(string) ([]*tasks.Signature, error) { return nil, nil }
func (r *recorder) GetDelayedTasks() ([]*tasks.Signature, error)       { return nil, nil }
func (r *recorder) StartConsuming(string, int, brokersiface.TaskProcessor) (bool, error) {
	return false, nil
}

func registry() *envelope.Registry {
	r := envelope.NewRegistry()
	envelope.MustRegister[order](r, "shop.Order")
	return r
}

func newServer(b brokersiface.Broker) *machinery.Server {
	return machinery.NewServer(&config.Config{DefaultQueue: "queue"}, b, eagerbackend.New(), eagerlock.New())
}

func install(t *testing.T, b brokersiface.Broker, opts ...middleware.Option) (*machinery.Server, *middleware.Middleware) {
	server := newServer(b)
	m, err := middleware.Install(server, registry(), opts...)
	require.NoError(t, err)
	return server, m
}

const orderOnWire = `{"$envelope":1,"type":"shop.Order","data":{"ID":"o-1","Price":2.5}}`

func TestInstallTwiceOnOneServerIsAnError(t *testing.T) {
	t.Parallel()
	server, _ := install(t, &recorder{})
	_, err := middleware.Install(server, registry())
	assert.ErrorIs(t, err, middleware.ErrInstalled)
}

func TestInstallNeedsAServerABrokerAndARegistry(t *testing.T) {
	t.Parallel()
	_, err := middleware.Install(nil, registry())
	assert.Error(t, err)
	_, err = middleware.Install(newServer(nil), registry())
	assert.Error(t, err)
	_, err = middleware.Install(newServer(&recorder{}), nil)
	assert.ErrorContains(t, err, "envelope.NewRegistry()")
}

func TestTheDecoratedBrokerUnwraps(t *testing.T) {
	t.Parallel()
	inner := &recorder{}
	server, _ := install(t, inner)
	outer, ok := server.GetBroker().(interface{ Unwrap() brokersiface.Broker })
	require.True(t, ok)
	assert.Same(t, inner, outer.Unwrap())
}

func TestOnlyAnEagerBrokerAssignsWorkers(t *testing.T) {
	t.Parallel()
	server, _ := install(t, &recorder{})
	_, ok := server.GetBroker().(eager.Mode)
	assert.False(t, ok)
	server, _ = install(t, eager.New())
	_, ok = server.GetBroker().(eager.Mode)
	assert.True(t, ok)
}

func TestAPrePublishHandlerSeesTheArgumentsAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	var seen any
	handler := func(s *tasks.Signature) { seen = s.Args[0].Value }
	broker := &recorder{}
	server, _ := install(t, broker, middleware.WithPrePublish(handler))
	_, err := server.SendTask(&tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}})
	require.NoError(t, err)
	assert.Equal(t, order{"o-1", 2.5}, seen)
	assert.Equal(t, orderOnWire, broker.published[0].Args[0].Value)
}

func TestInstallLeavesAPrePublishHandlerInPlace(t *testing.T) {
	t.Parallel()
	server := newServer(&recorder{})
	called := false
	server.SetPreTaskHandler(func(*tasks.Signature) { called = true })
	_, err := middleware.Install(server, registry())
	require.NoError(t, err)
	_, err = server.SendTask(&tasks.Signature{Name: "t"})
	require.NoError(t, err)
	assert.True(t, called)
}

func TestMembersOfAGroupShareACallbackThatIsNotChanged(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, _ := install(t, broker)
	callback := &tasks.Signature{Name: "callback", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}}
	var members []*tasks.Signature
	for range 20 {
		members = append(members, &tasks.Signature{Name: "member", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}})
	}
	group, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, callback)
	require.NoError(t, err)
	_, err = server.SendChord(chord, 0)
	require.NoError(t, err)

	require.Len(t, broker.published, 20)
	for _, s := range broker.published {
		assert.Equal(t, orderOnWire, s.Args[0].Value)
		assert.Equal(t, orderOnWire, s.ChordCallback.Args[0].Value)
	}
	assert.Equal(t, order{"o-1", 2.5}, callback.Args[0].Value)
	assert.Equal(t, order{"o-1", 2.5}, members[0].Args[0].Value)
	assert.Empty(t, callback.Headers)
}

func TestPublishFillsInTheRoutingKey(t *testing.T) {
	t.Parallel()
	server, _ := install(t, &recorder{})
	s := &tasks.Signature{Name: "t"}
	_, err := server.SendTask(s)
	require.NoError(t, err)
	assert.Equal(t, "recorded", s.RoutingKey)
}

func TestSignaturesThatLeadBackToThemselvesAreRefused(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, _ := install(t, broker)
	s := &tasks.Signature{Name: "t"}
	s.OnSuccess = []*tasks.Signature{s}
	err := server.GetBroker().Publish(t.Context(), s)
	assert.ErrorIs(t, err, middleware.ErrNestedTooDeep)
	assert.Empty(t, broker.published)
}

func TestPrePublishSealsOnce(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker)
	s := &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}, {Type: "int64", Value: 1}}}
	m.PrePublish(s)
	want := []tasks.Arg{{Type: "string", Value: orderOnWire}, {Type: "int64", Value: 1}}
	assert.Equal(t, want, s.Args)
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.Equal(t, want, broker.published[0].Args)
}

func TestPrePublishReportsItsErrorThroughTheSend(t *testing.T) {
	t.Parallel()
	inner := &recorder{}
	_, m := install(t, &recorder{})
	s := &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: stranger{"s3cret"}}}}
	m.PrePublish(s)
	for _, broker := range []brokersiface.Broker{inner, newInstalledBroker(t)} {
		err := broker.Publish(t.Context(), s)
		require.ErrorContains(t, err, "envelope.MustRegister[middleware_test.stranger](")
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func newInstalledBroker(t *testing.T) brokersiface.Broker {
	server, _ := install(t, &recorder{})
	return server.GetBroker()
}

func TestArgumentsThatNameTheirTypeRightlyAreUntouched(t *testing.T) {
	t.Parallel()
	type status string
	broker := &recorder{}
	server, _ := install(t, broker)
	args := []tasks.Arg{
		{Type: "string", Value: "text"}, {Type: "string", Value: status("open")}, {Type: "string", Value: "\xff"},
		{Type: "int64", Value: time.Second}, {Type: "int64", Value: 7}, {Type: "int8", Value: 300}, {Type: "float64", Value: 1},
		{Type: "int64", Value: json.Number("9")}, {Type: "[]int64", Value: []any{json.Number("9")}}, {Type: "[]string", Value: nil},
		{Type: "[]byte", Value: []byte{1}}, {Type: "[]uint8", Value: "AQ=="}, {Type: "[]string", Value: []string(nil)},
		{Type: "[]string", Value: []status{"open"}}, {Type: "bool", Value: true}, {Type: "string", Value: time.Unix(0, 0)}, {Name: "named", Type: "uint8", Value: uint8(1)},
	}
	s := &tasks.Signature{Name: "t", Args: args}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.Equal(t, args, broker.published[0].Args)
	assert.Empty(t, broker.published[0].Headers)
}

func TestWhatMachineryWouldAlterTravelsInAnEnvelope(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	for _, c := range []struct {
		value any
		typ   string
		wire  any
	}{
		{nil, "string", `{"$envelope":1,"type":"any","data":null}`},
		{[]string(nil), "string", `{"$envelope":1,"type":"[]string","data":null}`},
		{[]string{}, "[]string", []string{}},
		{math.Inf(1), "string", nil},
		{[]float32{float32(math.NaN())}, "string", nil},
		{math.Copysign(0, -1), "float64", math.Copysign(0, -1)},
		{[2]int{1, 2}, "string", `{"$envelope":1,"type":"[2]int","data":[1,2]}`},
		{`{"$envelope":1}`, "string", `{"$envelope":1,"type":"string","data":"{\"$envelope\":1}"}`},
		{time.Second, "string", `{"$envelope":1,"type":"time.Duration","data":1000000000}`},
	} {
		s, err := m.Signature(t.Context(), "t", c.value)
		require.NoError(t, err)
		assert.Equal(t, c.typ, s.Args[0].Type)
		if c.wire != nil {
			assert.Equal(t, c.wire, s.Args[0].Value)
		}
	}
}

func TestInvalidTextIsRefusedByNameAndPosition(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	_, err := m.Signature(t.Context(), "t", 1, "\xff")
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	assert.ErrorContains(t, err, `task "t": argument 2`)
}

func TestSignatureLeavesTheUUIDToMachinery(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	s, err := m.Signature(t.Context(), "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.Empty(t, s.UUID)
	copied := tasks.CopySignature(s)
	assert.Equal(t, s.Args, copied.Args)
	assert.Equal(t, s.Headers, copied.Headers)
}

func TestRegisterTaskRefusesWhatCannotTravel(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	for name, c := range map[string]struct {
		fn   any
		want []string
	}{
		"no function":           {7, []string{tasks.ErrTaskMustBeFunc.Error()}},
		"nil":                   {nil, []string{tasks.ErrTaskMustBeFunc.Error()}},
		"no result":             {func() {}, []string{tasks.ErrTaskReturnsNoValue.Error()}},
		"no error":              {func() int { return 0 }, []string{tasks.ErrLastReturnValueMustBeError.Error()}},
		"unregistered argument": {func(context.Context, int, []stranger) error { return nil }, []string{"parameter 2", "envelope.MustRegister[middleware_test.stranger]("}},
		"unregistered result":   {func() (int, *stranger, error) { return 0, nil, nil }, []string{"result 2", "envelope.MustRegister[middleware_test.stranger]("}},
		"channel":               {func(chan int) error { return nil }, []string{"parameter 1", "chan int"}},
		"variadic":              {func(...stranger) error { return nil }, []string{"parameter 1", "stranger"}},
		"interface":             {func(interface{ Area() float64 }) error { return nil }, []string{"parameter 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := m.RegisterTask("shop.task", c.fn)
			require.Error(t, err)
			for _, want := range append(c.want, `"shop.task"`) {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func TestRegisterTasksRegistersAllOrNone(t *testing.T) {
	t.Parallel()
	server, m := install(t, &recorder{})
	err := m.RegisterTasks(map[string]any{
		"good": func(order) error { return nil },
		"bad":  func(stranger) error { return nil },
	})
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	assert.Empty(t, server.GetRegisteredTaskNames())
}

func TestParamsMustNameEveryParameterOnce(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	fn := func(context.Context, order, float64, ...string) error { return nil }
	assert.NoError(t, m.RegisterTask("t", fn, middleware.Params("order", "price")))
	assert.Error(t, m.RegisterTask("t", fn, middleware.Params("order")))
	assert.Error(t, m.RegisterTask("t", fn, middleware.Params("order", "order")))
	assert.Error(t, m.RegisterTask("t", fn, middleware.Params("order", "")))
}

type failure struct{}

func (*failure) Error() string { return "failed" }

func TestANilErrorOfAConcreteTypeIsNoFailure(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func() (string, *failure) { return "fine", nil }))
	require.NoError(t, m.RegisterTask("f", func() (string, *failure) { return "", &failure{} }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	got, err := run[string](t, server, m, "t")
	require.NoError(t, err)
	assert.Equal(t, "fine", got)
	_, err = run[string](t, server, m, "f")
	assert.EqualError(t, err, "failed")
}

func TestAnErrorTextThatLooksLikeAnEnvelopeIsNotOpenedByACallback(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	var got any
	require.NoError(t, m.RegisterTask("fail", func() error { return errors.New(orderOnWire) }))
	require.NoError(t, m.RegisterTask("callback", func(v string) error { got = v; return nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	s := &tasks.Signature{Name: "fail", OnError: []*tasks.Signature{{Name: "callback"}}}
	_, err := server.SendTask(s)
	require.NoError(t, err)
	assert.Equal(t, orderOnWire+"\n"+`{"$envelope":1,"type":"any","data":null}`, got)
}

func TestPreTaskHandlersRunAfterRestoring(t *testing.T) {
	t.Parallel()
	var argument any
	server, m := install(t, eager.New(), middleware.WithPreTask(func(s *tasks.Signature) { argument = s.Args[0].Value }))
	require.NoError(t, m.RegisterTask("t", func(o order) (string, error) { return o.ID, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	got, err := run[string](t, server, m, "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.Equal(t, "o-1", got)
	assert.Equal(t, orderOnWire, argument, "the signature stays as it came: a retry publishes it")
}

func TestAWorkerWithoutThePreTaskHandlerRestoresArgumentsToo(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func(o order) (string, error) { return o.ID, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(server.NewWorker("w", 1))
	got, err := run[string](t, server, m, "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.Equal(t, "o-1", got)
}

func run[T any](t *testing.T, server *machinery.Server, m *middleware.Middleware, name string, args ...any) (T, error) {
	s, err := m.Signature(t.Context(), name, args...)
	require.NoError(t, err)
	res, err := server.SendTask(s)
	require.NoError(t, err)
	return middleware.Await[T](t.Context(), m, res)
}

// runByHand runs a task with arguments that are checked by the worker alone.
func runByHand(t *testing.T, server *machinery.Server, m *middleware.Middleware, name string, args ...tasks.Arg) error {
	res, err := server.SendTask(&tasks.Signature{Name: name, Args: args})
	require.NoError(t, err)
	_, err = middleware.Await[struct{}](t.Context(), m, res)
	return err
}

func TestAnArgumentErrorNamesTaskPositionAndType(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("shop.price", func(order, int8) error { return nil }, middleware.Params("order", "count")))
	fn, err := server.GetRegisteredTask("shop.price")
	require.NoError(t, err)
	task, err := tasks.New(fn, []tasks.Arg{{Type: "string", Value: orderOnWire}, {Type: "int64", Value: int64(300)}})
	require.NoError(t, err)
	_, err = task.Call()
	var argument *middleware.ArgumentError
	require.ErrorAs(t, err, &argument)
	assert.Equal(t, "shop.price", argument.Task)
	assert.Equal(t, 2, argument.Position)
	assert.Equal(t, "count", argument.Name)
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	assert.EqualError(t, err, `task "shop.price": argument "count" (int8): `+envelope.ErrTypeMismatch.Error()+`: int64 overflows int8: declare it as int64`)
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server, m := install(t, &recorder{})
	res, err := server.SendTask(&tasks.Signature{Name: "t"})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = middleware.Await[string](ctx, m, res)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAwaitRefusesAResultOfAnotherType(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("two", func() (int, order, error) { return 1, order{}, nil }))
	require.NoError(t, m.RegisterTask("order", func() (order, error) { return order{}, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := run[order](t, server, m, "two")
	assert.ErrorContains(t, err, "2 results")
	_, err = run[int](t, server, m, "order")
	assert.ErrorIs(t, err, envelope.ErrTypeMismatch)
}

// counter is an eager broker that counts what is published.
type counter struct {
	brokersiface.Broker
	eager.Mode
	published int
}

func (c *counter) Publish(ctx context.Context, s *tasks.Signature) error {
	c.published++
	return c.Broker.Publish(ctx, s)
}

func TestWhatCannotBeOpenedIsNotRetried(t *testing.T) {
	t.Parallel()
	inner := eager.New()
	broker := &counter{Broker: inner, Mode: inner.(eager.Mode)}
	server, m := install(t, broker)
	require.NoError(t, m.RegisterTask("broken", func(order) error { return nil }))
	require.NoError(t, m.RegisterTask("unsendable", func(order) (any, error) { return stranger{}, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	for name, argument := range map[string]string{
		"broken":     `{"$envelope":1,"type":"shop.Order","data":7}`,
		"unsendable": orderOnWire,
	} {
		broker.published = 0
		s := &tasks.Signature{Name: name, RetryCount: 3, Args: []tasks.Arg{{Type: "string", Value: argument}}}
		_, err := middleware.Await[struct{}](t.Context(), m, sendRaw(t, server, s))
		require.ErrorContains(t, err, name)
		assert.Equal(t, 1, broker.published)
	}
}

// sendRaw publishes as a producer without the middleware does.
func sendRaw(t *testing.T, server *machinery.Server, s *tasks.Signature) *result.AsyncResult {
	s.UUID = "task_" + t.Name() + s.Name
	inner := server.GetBroker().(interface{ Unwrap() brokersiface.Broker }).Unwrap()
	require.NoError(t, inner.Publish(t.Context(), s))
	return result.NewAsyncResult(s, server.GetBackend())
}

func TestNothingIsKeptAfterTheTask(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func(o order) (string, error) { return o.ID, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := run[string](t, server, m, "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.Zero(t, m.Kept())
}

func TestAStringParameterOpensOnlyTheEnvelopeOfAString(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func(text string, pointer *string) (string, error) { return text + *pointer, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	for _, text := range []string{orderOnWire, `{"$envelope":`, `{"$envelope":1,"type":"string","data":7`} {
		s := &tasks.Signature{Name: "t", Args: []tasks.Arg{{Type: "string", Value: text}, {Type: "string", Value: text}}}
		got, err := middleware.Await[string](t.Context(), m, sendRaw(t, server, s))
		require.NoError(t, err)
		assert.Equal(t, text+text, got)
	}
}

func TestEnvelopesSurviveWhenHeadersAreReplaced(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func(o *order) (string, error) { return o.ID, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	made, err := m.Signature(t.Context(), "t", order{"o-1", 2.5})
	require.NoError(t, err)
	for _, s := range []*tasks.Signature{
		{Name: "t", Args: made.Args},
		{Name: "t", Args: made.Args, Headers: tasks.Headers{"tenant": "x"}},
	} {
		res, err := server.SendTask(s)
		require.NoError(t, err)
		got, err := middleware.Await[string](t.Context(), m, res)
		require.NoError(t, err)
		assert.Equal(t, "o-1", got)
	}
}

func TestAPrePublishHandlerMayReplaceHeadersOfRetriesAndCallbacks(t *testing.T) {
	t.Parallel()
	replace := func(s *tasks.Signature) { s.Headers = tasks.Headers{"tenant": "x"} }
	server, m := install(t, eager.New(), middleware.WithPrePublish(replace))
	var seen []any
	calls := 0
	require.NoError(t, m.RegisterTask("first", func(ctx context.Context, v any) (order, error) {
		seen = append(seen, tasks.SignatureFromContext(ctx).Args[0].Value)
		if calls++; calls == 1 {
			return order{}, errors.New("again")
		}
		return v.(order), nil
	}))
	require.NoError(t, m.RegisterTask("second", func(v any) (string, error) { return v.(order).ID, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	chain, err := tasks.NewChain(
		&tasks.Signature{Name: "first", RetryCount: 1, Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}},
		&tasks.Signature{Name: "second"},
	)
	require.NoError(t, err)
	res, err := server.SendChain(chain)
	require.NoError(t, err)
	got, err := middleware.Await[string](t.Context(), m, res)
	require.NoError(t, err)
	assert.Equal(t, "o-1", got)
	assert.Equal(t, []any{orderOnWire, orderOnWire}, seen)
}

func TestHeadersCopiedFromAReceivedSignatureAreNotTrusted(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, _ := install(t, broker)
	s := &tasks.Signature{Name: "t", Headers: tasks.Headers{middleware.FormatHeader: "1"}}
	s.Args = []tasks.Arg{{Type: "string", Value: orderOnWire}}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.Contains(t, broker.published[0].Args[0].Value, `"type":"string"`)
}

func TestOnlyTheFormatVersionIsPublishedInTheHeader(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker)
	s, err := m.Signature(t.Context(), "t", order{"o-1", 2.5})
	require.NoError(t, err)
	s.OnSuccess = []*tasks.Signature{{Name: "next", Args: []tasks.Arg{{Value: order{"o-2", 0}}}}}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.Equal(t, tasks.Headers{middleware.FormatHeader: "1"}, broker.published[0].Headers)
	assert.Equal(t, tasks.Headers{middleware.FormatHeader: "1"}, broker.published[0].OnSuccess[0].Headers)
	assert.Equal(t, orderOnWire, broker.published[0].Args[0].Value)
}

func TestNamedArgumentsNeedParams(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("transfer", func(from, to int64) (int64, error) { return to - from, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	_, err := m.Signature(t.Context(), "transfer", middleware.Named("to", int64(2)), middleware.Named("from", int64(1)))
	require.ErrorIs(t, err, middleware.ErrArguments)
	require.ErrorContains(t, err, "middleware.Params")
	res, err := server.SendTask(&tasks.Signature{Name: "transfer", Args: []tasks.Arg{
		{Name: "informative", Type: "int64", Value: 1}, {Name: "as in Machinery", Type: "int64", Value: 2},
	}})
	require.NoError(t, err)
	got, err := middleware.Await[int64](t.Context(), m, res)
	require.NoError(t, err)
	assert.Equal(t, int64(1), got)
}

func TestPlainTasksGetBaseValuesWhateverAWrappedTaskReturns(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	var got []any
	require.NoError(t, server.RegisterTask("plain", func(list []string, text string, rates []float64, counts []int8) error {
		got = []any{list, text, math.IsNaN(rates[1]), counts}
		return nil
	}))
	require.NoError(t, m.RegisterTask("wrapped", func() ([]string, string, []float64, []int8, error) {
		return nil, orderOnWire, []float64{1, math.NaN()}, nil, nil
	}))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	chain, err := tasks.NewChain(&tasks.Signature{Name: "wrapped"}, &tasks.Signature{Name: "plain"})
	require.NoError(t, err)
	res, err := server.SendChain(chain)
	require.NoError(t, err)
	_, err = middleware.Await[struct{}](t.Context(), m, res)
	require.NoError(t, err)
	assert.Equal(t, []any{[]string{}, orderOnWire, true, []int8{}}, got)
}

func TestNilFitsInterfacesPointersSlicesAndMaps(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("nils", func(a any, p *order, s []string, l map[string]int) (any, error) {
		return a == nil && p == nil && s == nil && l == nil, nil
	}))
	require.NoError(t, m.RegisterTask("struct", func(order) error { return nil }))
	require.NoError(t, m.RegisterTask("result", func() (any, error) { return nil, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	got, err := run[bool](t, server, m, "nils", nil, nil, nil, nil)
	require.NoError(t, err)
	assert.True(t, got)
	require.NoError(t, m.RegisterTask("text", func(string) error { return nil }))
	require.NoError(t, m.RegisterTask("no text", func(s *string) (bool, error) { return s == nil, nil }))
	_, err = m.Signature(t.Context(), "text", nil)
	require.ErrorContains(t, err, "nil does not fit string")
	err = runByHand(t, server, m, "text", tasks.Arg{})
	require.ErrorContains(t, err, "nil does not fit string")
	got, err = run[bool](t, server, m, "no text", nil)
	require.NoError(t, err)
	assert.True(t, got)
	err = runByHand(t, server, m, "struct", tasks.Arg{})
	require.ErrorContains(t, err, "nil does not fit middleware_test.order")
	result, err := run[any](t, server, m, "result")
	require.NoError(t, err)
	assert.Nil(t, result)
}

func TestAttachLeavesAWorkersOwnPreTaskHandler(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("t", func(o order) (string, error) { return o.ID, nil }))
	called := false
	worker := server.NewWorker("w", 1)
	worker.SetPreTaskHandler(func(*tasks.Signature) { called = true })
	m.Attach(worker)
	server.GetBroker().(eager.Mode).AssignWorker(worker)
	_, err := run[string](t, server, m, "t", order{"o-1", 2.5})
	require.NoError(t, err)
	assert.True(t, called)
}

func TestScanRestoresSeveralResults(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, m.RegisterTask("two", func() (order, int64, error) { return order{"o-1", 2.5}, 7, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	res, err := server.SendTask(&tasks.Signature{Name: "two"})
	require.NoError(t, err)
	var o *order
	var n int
	require.NoError(t, middleware.Scan(t.Context(), m, res, &o, &n))
	assert.Equal(t, &order{"o-1", 2.5}, o)
	assert.Equal(t, 7, n)
	assert.Error(t, middleware.Scan(t.Context(), m, res, &o))
	assert.Error(t, middleware.Scan(t.Context(), m, res, &o, 7))
	assert.Error(t, middleware.Scan(t.Context(), m, res, &o, (*int)(nil)))
}

func TestAwaitOfNoResultIsAnError(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	_, err := middleware.Await[string](t.Context(), m, nil)
	assert.ErrorIs(t, err, middleware.ErrNoResult)
	_, err = middleware.Await[string](t.Context(), m, (*result.AsyncResult)(nil))
	assert.ErrorIs(t, err, middleware.ErrNoResult)
}
