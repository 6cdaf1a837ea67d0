package middleware_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var (
	pack = middleware.NewTask[order, []string]("orders.pack")
	join = middleware.NewTask[[]string, string]("orders.join")
)

func TestATypedTaskTakesAndReturnsItsTypes(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, pack.Register(m, func(_ context.Context, o order) ([]string, error) { return []string{o.ID}, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	var eta = time.Now()
	res, err := pack.Send(t.Context(), m, order{"o-1", 2.5}, func(s *tasks.Signature) { s.ETA = &eta })
	require.NoError(t, err)
	assert.Equal(t, &eta, res.Signature.ETA)
	packed, err := res.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"o-1"}, packed)
	state, err := server.GetBackend().GetState(res.Signature.UUID)
	require.NoError(t, err)
	assert.Equal(t, `{"$envelope":1,"type":"[]string","data":["o-1"]}`, state.Results[0].Value)
}

func TestTypedTasksSendSlicesInEnvelopesAndTakeEitherForm(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New())
	require.NoError(t, join.Register(m, func(_ context.Context, parts []string) (string, error) { return strings.Join(parts, "+"), nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	s, err := join.Signature(t.Context(), m, []string{"a", "b"})
	require.NoError(t, err)
	assert.Equal(t, `{"$envelope":1,"type":"[]string","data":["a","b"]}`, s.Args[0].Value)
	for _, s := range []*tasks.Signature{s, {Name: join.Name(), Args: []tasks.Arg{{Type: "[]string", Value: []string{"a", "b"}}}}} {
		res, err := m.SendTask(t.Context(), s)
		require.NoError(t, err)
		got, err := middleware.Await[string](t.Context(), m, res)
		require.NoError(t, err)
		assert.Equal(t, "a+b", got)
	}
}

func TestEnvelopeSlicesServesPlainTasksToo(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.EnvelopeSlices())
	require.NoError(t, server.RegisterTask("plain", func(ints []int, raw []byte, rates []float32, flags []bool) (int64, error) {
		return int64(ints[1]) + int64(raw[0]) + int64(rates[0]) + int64(len(flags)), nil
	}))
	require.NoError(t, m.RegisterTask("wrapped", func(ints []int) ([]int64, error) { return []int64{int64(ints[0])}, nil }))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	sum, err := run[int64](t, server, m, "plain", []int{1, 2}, []byte{3}, []float32{4.5}, []bool{true})
	require.NoError(t, err)
	assert.Equal(t, int64(2+3+4+1), sum)
	s, err := m.Signature(t.Context(), "wrapped", []int{9})
	require.NoError(t, err)
	assert.Equal(t, "string", s.Args[0].Type)
	got, err := run[[]int64](t, server, m, "wrapped", []int{9})
	require.NoError(t, err)
	assert.Equal(t, []int64{9}, got)
}

type tenantKey struct{}

// newTenantServer has a converter that needs the context of the send.
func newTenantServer(t *testing.T) (*recorder, *middleware.Middleware) {
	r := envelope.NewRegistry()
	envelope.MustRegister[order](r, "shop.Order", envelope.Convert(
		func(ctx context.Context, o order) (string, error) {
			return ctx.Value(tenantKey{}).(string) + "/" + o.ID, nil
		},
		func(_ context.Context, id string) (order, error) { return order{ID: id}, nil },
	))
	broker := &recorder{}
	m, err := middleware.Install(newServer(broker), r)
	require.NoError(t, err)
	return broker, m
}

func TestSendingKeepsTheContext(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), tenantKey{}, "tenant")
	newSignature := func() *tasks.Signature {
		return &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{ID: "o-1"}}}}
	}
	for name, send := range map[string]func(*middleware.Middleware) error{
		"task": func(m *middleware.Middleware) error {
			_, err := m.SendTask(ctx, newSignature())
			return err
		},
		"chain": func(m *middleware.Middleware) error {
			chain, _ := tasks.NewChain(newSignature(), newSignature())
			_, err := m.SendChain(ctx, chain)
			return err
		},
		"group": func(m *middleware.Middleware) error {
			group, _ := tasks.NewGroup(newSignature(), newSignature())
			_, err := m.SendGroup(ctx, group, 0)
			return err
		},
		"chord": func(m *middleware.Middleware) error {
			group, _ := tasks.NewGroup(newSignature())
			chord, _ := tasks.NewChord(group, newSignature())
			_, err := m.SendChord(ctx, chord, 1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			broker, m := newTenantServer(t)
			require.NoError(t, send(m))
			for _, s := range broker.published {
				assert.Equal(t, `{"$envelope":1,"type":"shop.Order","data":"tenant/o-1"}`, s.Args[0].Value)
			}
		})
	}
}

func TestAGroupWithAnArgumentThatCannotBeSentIsNotSentAtAll(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	_, m := install(t, broker)
	group, err := tasks.NewGroup(
		&tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{ID: "o-1"}}}},
		&tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: stranger{}}}},
	)
	require.NoError(t, err)
	_, err = m.SendGroup(t.Context(), group, 0)
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	chord, err := tasks.NewChord(group, &tasks.Signature{Name: "callback"})
	require.NoError(t, err)
	_, err = m.SendChord(t.Context(), chord, 0)
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	assert.Empty(t, broker.published)
}

func TestNothingToSendIsAnError(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	_, err := m.SendChain(t.Context(), &tasks.Chain{})
	assert.ErrorIs(t, err, middleware.ErrEmpty)
	_, err = m.SendGroup(t.Context(), &tasks.Group{}, 0)
	assert.ErrorIs(t, err, middleware.ErrEmpty)
}
