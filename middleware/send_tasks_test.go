package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// refusing is a recorder that refuses the task "refused", and is given tasks one by one.
type refusing struct{ recorder }

func (r *refusing) Publish(ctx context.Context, s *tasks.Signature) error {
	if s.Name == "refused" {
		return errRefused
	}
	return r.recorder.Publish(ctx, s)
}

// pendingMany is a backend that is told of many tasks at once, and refuses the task "stateless".
type pendingMany struct {
	backendsiface.Backend
	batches [][]string
}

func (b *pendingMany) SetStatesPending(_ context.Context, signatures []*tasks.Signature) []error {
	var names []string
	errs := make([]error, len(signatures))
	for i, s := range signatures {
		names = append(names, s.Name)
		if s.Name == "stateless" {
			errs[i] = errRefused
		}
	}
	b.batches = append(b.batches, names)
	return errs
}

var _ middleware.ManyPender = (*pendingMany)(nil)

func ordersOf(names ...string) []*tasks.Signature {
	var signatures []*tasks.Signature
	for i, name := range names {
		signatures = append(signatures, &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: order{ID: fmt.Sprint(i)}}}})
	}
	return signatures
}

func namesOf(published []*tasks.Signature) []string {
	var names []string
	for _, s := range published {
		names = append(names, s.Name)
	}
	return names
}

// sendingBrokers are brokers that take tasks together, one by one, and one by one through another one.
var sendingBrokers = map[string]func() (broker brokersiface.Broker, published func() []*tasks.Signature, outer bool){
	"together": func() (brokersiface.Broker, func() []*tasks.Signature, bool) {
		b := &batching{}
		return b, func() []*tasks.Signature { return b.published }, false
	},
	"one by one": func() (brokersiface.Broker, func() []*tasks.Signature, bool) {
		b := &refusing{}
		return b, func() []*tasks.Signature { return b.published }, false
	},
	"decorated": func() (brokersiface.Broker, func() []*tasks.Signature, bool) {
		b := &refusing{}
		return b, func() []*tasks.Signature { return b.published }, true
	},
}

func onEverySendingBroker(t *testing.T, test func(t *testing.T, m *middleware.Middleware, published func() []*tasks.Signature)) {
	t.Parallel()
	for name, open := range sendingBrokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, published, outer := open()
			server, m := install(t, broker)
			if outer {
				server.SetBroker(decorated{server.GetBroker()})
			}
			test(t, m, published)
		})
	}
}

func TestTasksAreSentInOrderWithTheirResults(t *testing.T) {
	onEverySendingBroker(t, func(t *testing.T, m *middleware.Middleware, published func() []*tasks.Signature) {
		sent := ordersOf("a", "b", "c")
		results, err := m.SendTasks(t.Context(), sent...)
		require.NoError(t, err)
		require.Len(t, results, 3)
		require.Equal(t, []string{"a", "b", "c"}, namesOf(published()))
		for i, s := range published() {
			want := fmt.Sprintf(`{"$envelope":1,"type":"shop.Order","data":{"ID":"%d","Price":0}}`, i)
			require.Equal(t, want, s.Args[0].Value)
			require.Equal(t, order{ID: fmt.Sprint(i)}, sent[i].Args[0].Value, "the caller's stays as it is")
			require.NotEmpty(t, s.UUID)
			require.Same(t, sent[i], results[i].Signature)
			require.Equal(t, s.UUID, sent[i].UUID)
			require.Equal(t, "recorded", sent[i].RoutingKey)
			require.Equal(t, tasks.StatePending, results[i].GetState().State)
		}
	})
}

func TestNothingIsSentWhereOneTaskIsRefused(t *testing.T) {
	onEverySendingBroker(t, func(t *testing.T, m *middleware.Middleware, published func() []*tasks.Signature) {
		signatures := ordersOf("a", "b", "c")
		signatures[1].Args = []tasks.Arg{{Value: stranger{}}}
		results, err := m.SendTasks(t.Context(), signatures...)
		require.Nil(t, results)
		require.ErrorIs(t, err, envelope.ErrUnregistered)
		require.ErrorContains(t, err, `send tasks: nothing sent: index 1: task "b": argument 1: `)
		var failure *middleware.SendError
		require.ErrorAs(t, err, &failure)
		require.Zero(t, failure.Sent)
		require.Len(t, failure.Failed, 1)
		require.Equal(t, 1, failure.Failed[0].Index)
		require.Equal(t, "b", failure.Failed[0].Task)
		require.Empty(t, published())
	})
}

func TestNoStateIsWrittenWhereOneTaskIsRefused(t *testing.T) {
	t.Parallel()
	server, m := install(t, &batching{})
	signatures := ordersOf("a", "b")
	signatures[0].UUID, signatures[1].Args[0].Value = "first", stranger{}
	_, err := m.SendTasks(t.Context(), signatures...)
	require.Error(t, err)
	_, err = server.GetBackend().GetState("first")
	require.Error(t, err)
	_, err = m.SendTask(t.Context(), signatures[0])
	require.NoError(t, err, "it can be sent later")
	_, err = server.GetBackend().GetState("first")
	require.NoError(t, err)
}

func TestTasksThatTheBrokerRefusesKeepNoOtherFromBeingSent(t *testing.T) {
	onEverySendingBroker(t, func(t *testing.T, m *middleware.Middleware, published func() []*tasks.Signature) {
		results, err := m.SendTasks(t.Context(), ordersOf("a", "refused", "b", "refused")...)
		require.ErrorContains(t, err, errRefused.Error())
		var failure *middleware.SendError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, 2, failure.Sent)
		require.Len(t, failure.Failed, 2)
		require.Equal(t, 1, failure.Failed[0].Index)
		require.Equal(t, 3, failure.Failed[1].Index)
		require.Equal(t, "refused", failure.Failed[1].Task)
		require.NotEmpty(t, failure.Failed[1].UUID)
		require.Equal(t, []string{"a", "b"}, namesOf(published()))
		require.Len(t, results, 4)
		require.NotNil(t, results[0])
		require.Nil(t, results[1])
		require.NotNil(t, results[2])
		require.Nil(t, results[3])
	})
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	onEverySendingBroker(t, func(t *testing.T, m *middleware.Middleware, published func() []*tasks.Signature) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		results, err := m.SendTasks(ctx, ordersOf("a", "b")...)
		require.ErrorIs(t, err, context.Canceled)
		require.Nil(t, results)
		require.Empty(t, published())
	})
}

// ending is a broker that ends a context when it is given its second task.
type ending struct {
	recorder
	end context.CancelFunc
}

func (e *ending) Publish(ctx context.Context, s *tasks.Signature) error {
	if len(e.published) == 1 {
		e.end()
	}
	return e.recorder.Publish(ctx, s)
}

func TestAContextThatEndsMidwayLeavesOutTheRest(t *testing.T) {
	t.Parallel()
	for _, decorate := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		broker := &ending{end: cancel}
		server, m := install(t, broker)
		if decorate {
			server.SetBroker(decorated{server.GetBroker()})
		}
		results, err := m.SendTasks(ctx, ordersOf("a", "b", "c", "d")...)
		require.ErrorIs(t, err, context.Canceled)
		var failure *middleware.SendError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, 2, failure.Sent)
		require.Equal(t, []string{"a", "b"}, namesOf(broker.published))
		require.NotNil(t, results[1])
		require.Nil(t, results[2])
	}
}

func TestATaskThatIsGivenTwiceIsRefused(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker)
	twice := ordersOf("a")[0]
	same := []*tasks.Signature{{Name: "a", UUID: "u"}, {Name: "b", UUID: "u"}}
	for _, signatures := range [][]*tasks.Signature{{twice, twice}, same} {
		_, err := m.SendTasks(t.Context(), signatures...)
		require.ErrorIs(t, err, middleware.ErrSameTask)
		require.ErrorContains(t, err, "index 1")
	}
	_, err := m.SendTasks(t.Context(), ordersOf("a")[0], nil)
	require.ErrorContains(t, err, "index 1")
	require.Empty(t, broker.published)
}

func TestNoTasksAreNoError(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker)
	results, err := m.SendTasks(t.Context())
	require.NoError(t, err)
	require.Empty(t, results)
	require.Zero(t, broker.batches)
}

// The handler may change a task before its arguments are looked at.
func TestEachTaskPassesThePrePublishHandler(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker, middleware.WithPrePublish(func(s *tasks.Signature) {
		s.Args = append(s.Args, tasks.Arg{Value: order{ID: "added"}})
	}))
	_, err := m.SendTasks(t.Context(), ordersOf("a", "b")...)
	require.NoError(t, err)
	require.Equal(t, 1, broker.batches)
	for _, s := range broker.published {
		require.Equal(t, `{"$envelope":1,"type":"shop.Order","data":{"ID":"added","Price":0}}`, s.Args[1].Value)
	}
}

func TestABackendIsToldOfManyTasksAtOnceAndThoseItRefusesAreNotSent(t *testing.T) {
	t.Parallel()
	broker, backend := &batching{}, &pendingMany{Backend: eagerbackend.New()}
	server := machinery.NewServer(&config.Config{}, broker, backend, eagerlock.New())
	m, err := middleware.Install(server, registry())
	require.NoError(t, err)
	names := []string{"a", "stateless", "b"}
	results, err := m.SendTasks(t.Context(), ordersOf(names...)...)
	require.ErrorIs(t, err, errRefused)
	require.Nil(t, results[1])
	require.Equal(t, []string{"a", "b"}, namesOf(broker.published))
	group := groupOf(t, names...)
	_, err = m.SendGroup(t.Context(), group, 1)
	require.ErrorIs(t, err, errRefused)
	require.Equal(t, [][]string{names, names}, backend.batches)
	require.Equal(t, []string{"a", "b", "a", "b"}, namesOf(broker.published))
}

func TestResultsOfTheMembersThatWereSentAreReturned(t *testing.T) {
	t.Parallel()
	_, m := install(t, &batching{})
	results, err := m.SendGroup(t.Context(), groupOf(t, "a", "refused", "b"), 0)
	require.ErrorIs(t, err, errRefused)
	require.ErrorContains(t, err, `send group: 2 sent, 1 not: index 1: task "refused": no room`)
	require.NotNil(t, results[0])
	require.Nil(t, results[1])
	require.NotNil(t, results[2])
	chord, err := tasks.NewChord(groupOf(t, "a", "refused"), &tasks.Signature{Name: "callback"})
	require.NoError(t, err)
	_, err = m.SendChord(t.Context(), chord, 0)
	require.ErrorIs(t, err, errRefused)
}

func TestSendErrorNamesTheFirstAndCountsTheRest(t *testing.T) {
	t.Parallel()
	_, m := install(t, &batching{})
	_, err := m.SendTasks(t.Context(), ordersOf("a", "refused", "refused", "refused", "refused", "refused")...)
	require.EqualError(t, err, `send tasks: 1 sent, 5 not: index 1: task "refused": no room; `+
		`index 2: task "refused": no room; index 3: task "refused": no room; and 2 more`)
}

// sends counts what an observer is told of sends.
type sends struct {
	middleware.TaskObserver
	errs []error
}

func (*sends) Sent(context.Context, middleware.Observation)   {}
func (*sends) Failed(context.Context, middleware.Observation) {}

func (o *sends) Sending(ctx context.Context, _ middleware.TaskObservation) (context.Context, func(error)) {
	return ctx, func(err error) { o.errs = append(o.errs, err) }
}

func TestAnObserverIsToldOnceHowEachSendHasEnded(t *testing.T) {
	t.Parallel()
	observer := &sends{}
	_, m := install(t, &batching{}, middleware.WithObserver(observer))
	_, err := m.SendTasks(t.Context(), ordersOf("a", "refused")...)
	require.Error(t, err)
	require.Equal(t, []error{nil, errRefused}, observer.errs)

	observer.errs = nil
	signatures := ordersOf("a", "b", "c")
	signatures[1].Args[0].Value = stranger{}
	_, err = m.SendTasks(t.Context(), signatures...)
	require.Error(t, err)
	require.Len(t, observer.errs, 2, "the third was not begun")
	for _, err := range observer.errs {
		require.ErrorIs(t, err, envelope.ErrUnregistered)
	}
}

func TestSendAllSendsAValueEach(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker)
	price := middleware.NewTask[order, float64]("price")
	results, err := price.SendAll(t.Context(), m, []order{{ID: "0"}, {ID: "1"}}, func(s *tasks.Signature) { s.RetryCount = 2 })
	require.NoError(t, err)
	require.Equal(t, 1, broker.batches)
	for i, s := range broker.published {
		require.Equal(t, "price", s.Name)
		require.Equal(t, 2, s.RetryCount)
		require.Equal(t, s.UUID, results[i].Signature.UUID)
		require.Equal(t, fmt.Sprintf(`{"$envelope":1,"type":"shop.Order","data":{"ID":"%d","Price":0}}`, i), s.Args[0].Value)
	}

	unknown := middleware.NewTask[stranger, float64]("unknown")
	none, err := unknown.SendAll(t.Context(), m, []stranger{{}})
	require.Nil(t, none)
	var failure *middleware.SendError
	require.True(t, errors.As(err, &failure) && failure.Failed[0].Task == "unknown")
	refused := middleware.NewTask[order, float64]("refused")
	none2, err := refused.SendAll(t.Context(), m, []order{{}})
	require.Nil(t, none2)
	require.ErrorIs(t, err, errRefused)
}
