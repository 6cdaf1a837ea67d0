package conformance

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
	{name: "values of the sender's context reach every task of a chain", run: valuesReachChains},
	{name: "values of the sender's context reach every task of a chord", run: valuesReachChords},
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

func valuesReachChains(t *testing.T, shared *fixture) {
	f, note, seen := newTenantFixture(t, shared.transport)
	chain, err := tasks.NewChain(f.signature(t, note), f.signature(t, note))
	require.NoError(t, err)
	chain.Tasks[0].OnSuccess = append(chain.Tasks[0].OnSuccess, f.signature(t, note))
	_, err = f.producer.SendChain(context.WithValue(t.Context(), tenantKey{}, "acme"), chain)
	require.NoError(t, err)
	for range 3 {
		assert.Equal(t, "acme", receive(t, seen))
	}
}

func valuesReachChords(t *testing.T, shared *fixture) {
	f, note, seen := newTenantFixture(t, shared.transport)
	group, err := tasks.NewGroup(f.signature(t, note), f.signature(t, note))
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, f.signature(t, note))
	require.NoError(t, err)
	_, err = f.producer.SendChord(context.WithValue(t.Context(), tenantKey{}, "acme"), chord, f.sendConcurrency())
	require.NoError(t, err)
	for range 3 {
		assert.Equal(t, "acme", receive(t, seen))
	}
}

// newTenantFixture has a task that sends the tenant of its context to seen.
func newTenantFixture(t *testing.T, tr Transport) (f *fixture, note string, seen <-chan any) {
	f = newFixture(t, tr, middleware.WithPropagator(tenants{}))
	tenantsSeen := make(chan any, 4) // some of Machinery's backends have a chord called back twice
	note = f.register(t, func(ctx context.Context, _ ...any) (int, error) {
		tenantsSeen <- ctx.Value(tenantKey{})
		return 1, nil
	})
	return f, note, tenantsSeen
}
