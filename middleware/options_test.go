package middleware_test

import (
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestAnOptionThatCannotBeMeantIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	fixed := middleware.RetryUnknown(time.Second, 1)
	policy := middleware.RetryUnknownFunc(func(int) (time.Duration, bool) { return 0, false })
	for want, opts := range map[string][]middleware.Option{
		"option 2 is nil":                   {middleware.EnvelopeAll(), nil},
		"WithPrePublish needs a handler":    {middleware.WithPrePublish(nil)},
		"WithPreTask needs a handler":       {middleware.WithPreTask(nil)},
		"WithPropagator needs a propagator": {middleware.WithPropagator(nil)},
		"WithObserver needs an observer":    {middleware.WithObserver(nil)},
		"WithLogger needs a logger":         {middleware.WithLogger(nil)},
		"WithDeadLetters needs":             {middleware.WithDeadLetters(nil)},
		"RetryUnknown(-5ns, 1)":             {middleware.RetryUnknown(-5, 1)},
		"RetryUnknown(5ns, -1)":             {middleware.RetryUnknown(5, -1)},
		"RetryUnknownFunc needs a policy":   {middleware.RetryUnknownFunc(nil)},
		"RetryUnknown and RetryUnknownFunc": {fixed, policy},
		"RetryUnknownFunc exclude":          {policy, fixed},
		"SignTasks needs a MAC":             {middleware.SignTasks(nil)},
		"SignTasks: WithMaxAge(-1ns)":       {signedWith(middleware.WithMaxAge(-1))},
		"SignTasks: option 1 is nil":        {signedWith(nil)},
	} {
		_, err := middleware.Install(newServer(&recorder{}), registry(), opts...)
		assert.ErrorContains(t, err, want)
	}
}

func TestAnInstallThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server := newServer(broker)
	backend, called := server.GetBackend(), ""
	server.SetPreTaskHandler(func(*tasks.Signature) { called += "old" })
	prePublish := middleware.WithPrePublish(func(*tasks.Signature) { called += "new" })
	for _, opts := range [][]middleware.Option{
		{prePublish, signed, middleware.RetryUnknown(-1, 0)}, {middleware.RetryUnknown(-1, 0), signed, prePublish},
	} {
		_, err := middleware.Install(server, registry(), opts...)
		require.Error(t, err)
	}
	assert.Same(t, broker, server.GetBroker())
	assert.Equal(t, backend, server.GetBackend())
	_, err := server.SendTask(&tasks.Signature{Name: "t"})
	require.NoError(t, err)
	assert.Equal(t, "old", called)
	_, err = middleware.Install(server, registry(), prePublish, signed)
	assert.NoError(t, err)
}

func TestEnvelopeAllBeatsEnvelopeSlicesInEitherOrder(t *testing.T) {
	t.Parallel()
	all, slices := middleware.EnvelopeAll(), middleware.EnvelopeSlices()
	for _, opts := range [][]middleware.Option{{all, slices}, {slices, all}} {
		_, m := install(t, &recorder{}, opts...)
		s, err := m.Signature(t.Context(), "t", int64(1))
		require.NoError(t, err)
		assert.True(t, envelope.Is(s.Args[0].Value.(string)))
	}
}
