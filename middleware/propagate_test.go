package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const tenantHeader = "tenant"

// tenants carries the tenant of a context.
type tenants struct{}

func (tenants) Inject(ctx context.Context, carrier middleware.Carrier) {
	if tenant := tenantOf(ctx); tenant != "" {
		carrier.Set(tenantHeader, tenant)
	}
}

func (tenants) Extract(ctx context.Context, carrier middleware.Carrier) context.Context {
	return withTenant(ctx, carrier.Get(tenantHeader))
}

func withTenant(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

func tenantOf(ctx context.Context) string {
	tenant, _ := ctx.Value(tenantKey{}).(string)
	return tenant
}

// seenTenants collects the tenants that tasks have found in their contexts.
type seenTenants struct {
	mu   sync.Mutex
	seen []string
}

func (s *seenTenants) add(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, tenantOf(ctx))
}

// newTenantShop runs tasks in place: note sees the tenant, and fail does and fails.
func newTenantShop(t *testing.T) (*middleware.Middleware, *seenTenants) {
	server, m := install(t, eager.New(), middleware.WithPropagator(tenants{}))
	found := &seenTenants{}
	require.NoError(t, m.RegisterTask("note", func(ctx context.Context, _ ...any) error {
		found.add(ctx)
		return nil
	}))
	require.NoError(t, m.RegisterTask("fail", func(ctx context.Context) error {
		found.add(ctx)
		return errors.New("no")
	}))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	return m, found
}

func TestValuesReachTheContextThatMachineryMade(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.WithPropagator(tenants{}))
	var tenant, task string
	require.NoError(t, m.RegisterTask("t", func(ctx context.Context, _ order) error {
		tenant, task = tenantOf(ctx), tasks.SignatureFromContext(ctx).Name
		return nil
	}))
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	s := &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}}
	_, err := m.SendTask(withTenant(t.Context(), "acme"), s)
	require.NoError(t, err)
	assert.Equal(t, "acme", tenant)
	assert.Equal(t, "t", task)
	assert.Empty(t, s.Headers, "the caller's signature is not changed")
}

func TestValuesReachEveryTaskOfAChain(t *testing.T) {
	t.Parallel()
	m, found := newTenantShop(t)
	chain, err := tasks.NewChain(signatureOf("note"), signatureOf("note"), signatureOf("note"))
	require.NoError(t, err)
	_, err = m.SendChain(withTenant(t.Context(), "acme"), chain)
	require.NoError(t, err)
	assert.Equal(t, []string{"acme", "acme", "acme"}, found.seen)
}

func TestValuesReachCallbacks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"note", "fail"} {
		m, found := newTenantShop(t)
		s := signatureOf(name)
		s.OnSuccess = []*tasks.Signature{signatureOf("note")}
		s.OnError = []*tasks.Signature{signatureOf("note")}
		_, err := m.SendTask(withTenant(t.Context(), "acme"), s)
		require.NoError(t, err)
		assert.Equal(t, []string{"acme", "acme"}, found.seen)
	}
}

func TestValuesReachTheCallbackOfAChord(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	_, m := install(t, broker, middleware.WithPropagator(tenants{}))
	group, err := tasks.NewGroup(signatureOf("member"), signatureOf("member"))
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, signatureOf("callback"))
	require.NoError(t, err)
	_, err = m.SendChord(withTenant(t.Context(), "acme"), chord, 0)
	require.NoError(t, err)
	require.Len(t, broker.published, 2)
	for _, s := range broker.published {
		assert.Equal(t, "acme", s.Headers[tenantHeader])
		assert.Equal(t, "acme", s.ChordCallback.Headers[tenantHeader])
	}

	w := newWorkplace(t, middleware.WithPropagator(tenants{}))
	require.NoError(t, w.m.RegisterTask("member", func() error { return nil }))
	member := broker.published[0]
	member.GroupTaskCount = 1
	require.NoError(t, w.backend.InitGroup(member.GroupUUID, []string{member.UUID}))
	require.NoError(t, w.deliver(member))
	require.Len(t, w.broker.published, 1)
	assert.Equal(t, "callback", w.broker.published[0].Name)
	assert.Equal(t, "acme", w.broker.published[0].Headers[tenantHeader], "the worker sends it without a context")
}

func TestARetryKeepsTheValuesThatItCameWith(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"by count": errors.New("again"),
		"later":    tasks.NewErrRetryTaskLater("busy", 0),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkplace(t, middleware.WithPropagator(tenants{}))
			require.NoError(t, w.m.RegisterTask("t", func() error { return err }))
			s := signatureOf("t")
			s.RetryCount = 1
			s.Headers = tasks.Headers{tenantHeader: "acme"}
			require.NoError(t, w.deliver(s))
			require.Len(t, w.broker.published, 1)
			assert.Equal(t, tasks.Headers{tenantHeader: "acme"}, w.broker.published[0].Headers)
		})
	}
}

func TestTheContextOfASendComesBeforeWhatASignatureHas(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	_, m := install(t, broker, middleware.WithPropagator(tenants{}))
	s := signatureOf("t")
	s.Headers = tasks.Headers{tenantHeader: "acme", "other": "kept"}
	_, err := m.SendTask(withTenant(t.Context(), "globex"), s)
	require.NoError(t, err)
	assert.Equal(t, tasks.Headers{tenantHeader: "globex", "other": "kept"}, broker.published[0].Headers)
	assert.Equal(t, "acme", s.Headers[tenantHeader])
}

func TestATaskThatSendsWithItsContextPassesTheValuesOn(t *testing.T) {
	t.Parallel()
	m, found := newTenantShop(t)
	require.NoError(t, m.RegisterTask("sender", func(ctx context.Context) error {
		_, err := m.SendTask(ctx, signatureOf("note"))
		return err
	}))
	_, err := m.SendTask(withTenant(t.Context(), "acme"), signatureOf("sender"))
	require.NoError(t, err)
	assert.Equal(t, []string{"acme"}, found.seen)
}

func TestConvertersGetTheValues(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]middleware.Option{
		"in the task":       nil,
		"before a pre-task": {middleware.WithPreTask(func(*tasks.Signature) {})},
	} {
		t.Run(name, func(t *testing.T) {
			r, found := envelope.NewRegistry(), &seenTenants{}
			envelope.MustRegister[order](r, "shop.Order", envelope.Convert(
				func(ctx context.Context, o order) (string, error) { found.add(ctx); return o.ID, nil },
				func(ctx context.Context, id string) (order, error) { found.add(ctx); return order{ID: id}, nil },
			))
			server := newServer(eager.New())
			m, err := middleware.Install(server, r, append(opts, middleware.WithPropagator(tenants{}))...)
			require.NoError(t, err)
			require.NoError(t, m.RegisterTask("t", func(o order) (order, error) { return o, nil }))
			server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
			s := &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: order{ID: "o-1"}}}}
			_, err = m.SendTask(withTenant(t.Context(), "acme"), s)
			require.NoError(t, err)
			assert.Equal(t, []string{"acme", "acme", "acme"}, found.seen, "sealing, restoring, and sealing the result")
		})
	}
}

// probe reads all that a carrier has.
type probe struct{ got map[string]string }

func (p *probe) Inject(context.Context, middleware.Carrier) {}

func (p *probe) Extract(ctx context.Context, carrier middleware.Carrier) context.Context {
	for _, key := range append(carrier.Keys(), "number", "missing") {
		p.got[key] = carrier.Get(key)
	}
	return ctx
}

func TestHeadersThatAreNoStringsAreIgnored(t *testing.T) {
	t.Parallel()
	seen := &probe{got: map[string]string{}}
	w := newWorkplace(t, middleware.WithPropagator(seen))
	require.NoError(t, w.m.RegisterTask("t", func() error { return nil }))
	s := signatureOf("t")
	s.Headers = tasks.Headers{
		"text": "x", "number": json.Number("7"), "nil": nil, "list": []any{"x"}, "object": map[string]any{"x": 1}, "bool": true,
	}
	require.NoError(t, w.deliver(s))
	assert.Equal(t, map[string]string{"text": "x", "number": "", "missing": ""}, seen.got)
	require.NoError(t, w.deliver(signatureOf("t")), "no headers at all")
}

func TestAHeaderThatIsNoStringGivesWayToAValue(t *testing.T) {
	t.Parallel()
	for _, odd := range []any{json.Number("7"), []any{"x"}, map[string]any{}, nil} {
		broker := &recorder{}
		_, m := install(t, broker, middleware.WithPropagator(tenants{}))
		s := signatureOf("t")
		s.Headers = tasks.Headers{tenantHeader: odd}
		_, err := m.SendTask(withTenant(t.Context(), "acme"), s)
		require.NoError(t, err)
		assert.Equal(t, "acme", broker.published[0].Headers[tenantHeader])
	}
}

func TestConcurrentSendsOfSharedSignaturesCarryTheirOwnValues(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, _ := install(t, broker, middleware.WithPropagator(tenants{}))
	shared := signatureOf("callback")
	shared.Headers = tasks.Headers{"other": "kept"}
	var sends sync.WaitGroup
	for _, tenant := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		sends.Go(func() {
			s := signatureOf(tenant)
			s.Headers = shared.Headers
			s.OnSuccess = []*tasks.Signature{shared}
			assert.NoError(t, server.GetBroker().Publish(withTenant(t.Context(), tenant), s))
		})
	}
	sends.Wait()
	require.Len(t, broker.published, 8)
	for _, s := range broker.published {
		assert.Equal(t, tasks.Headers{tenantHeader: s.Name, "other": "kept"}, s.Headers)
		assert.Equal(t, tasks.Headers{tenantHeader: s.Name, "other": "kept"}, s.OnSuccess[0].Headers)
	}
	assert.Equal(t, tasks.Headers{"other": "kept"}, shared.Headers)
}
