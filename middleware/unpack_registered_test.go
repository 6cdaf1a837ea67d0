package middleware_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type badge string

func TestARegisteredStringTypeTakesNoEnvelopeOfAnotherType(t *testing.T) {
	t.Parallel()
	types := registry()
	envelope.MustRegister[badge](types, "shop.Badge")
	m, err := middleware.Install(newServer(&recorder{}), types)
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("one", func(badge) error { return nil }))
	require.NoError(t, m.RegisterTask("pointer", func(*badge) error { return nil }))

	for _, name := range []string{"one", "pointer"} {
		_, err = m.Signature(t.Context(), name, order{ID: "o-1"})
		require.ErrorIs(t, err, envelope.ErrTypeMismatch, name)
		_, err = m.Signature(t.Context(), name, badge("b-1"))
		require.NoError(t, err, name)
	}
}

func TestAWorkerTakesNoEnvelopeOfAnotherTypeForARegisteredString(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	envelope.MustRegister[badge](w.registry, "shop.Badge")
	require.NoError(t, w.m.RegisterTask("badge", func(badge) error { return nil }))
	s := signatureOf("badge", orderOnWire)
	require.NoError(t, w.deliver(s))
	require.ErrorIs(t, w.failure(t, s), envelope.ErrTypeMismatch)
}
