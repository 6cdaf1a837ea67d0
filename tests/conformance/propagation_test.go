package conformance_test

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// propagationCases are about values of the sender's context.
var propagationCases = []testCase{
	{name: "values of the sender's context reach every task of a workflow", run: valuesReachWorkflows},
}

type tenantKey struct{}

// tenants carries the tenant of a context.
type tenants struct{}

func (tenants) Inject(ctx context.Context, carrier middleware.Carrier) {
	if tenant, ok := ctx.Value(tenantKey{}).(string); ok {
		carrier.Set("tenant", tenant)
	}
}

func (tenants) Extract(ctx context.Context, carrier middleware.Carrier) context.Context {
	return context.WithValue(ctx, tenantKey{}, carrier.Get("tenant"))
}

func valuesReachWorkflows(t *testing.T, shared *fixture) {
	f := newFixture(t, shared.transport, middleware.WithPropagator(tenants{}))
	seen := make(chan any, 4)
	note := f.register(t, func(ctx context.Context, _ ...any) (int, error) {
		seen <- ctx.Value(tenantKey{})
		return 1, nil
	})
	ctx := context.WithValue(t.Context(), tenantKey{}, "acme")

	chain, err := tasks.NewChain(f.signature(t, note), f.signature(t, note))
	require.NoError(t, err)
	chain.Tasks[0].OnSuccess = append(chain.Tasks[0].OnSuccess, f.signature(t, note))
	_, err = f.producer.SendChain(ctx, chain)
	require.NoError(t, err)
	for range 3 {
		assert.Equal(t, "acme", receive(t, seen))
	}

	if f.isEager() {
		return // Machinery's eager chords race
	}
	group, err := tasks.NewGroup(f.signature(t, note), f.signature(t, note))
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, f.signature(t, note))
	require.NoError(t, err)
	_, err = f.producer.SendChord(ctx, chord, f.sendConcurrency())
	require.NoError(t, err)
	for range 3 {
		assert.Equal(t, "acme", receive(t, seen))
	}
}
