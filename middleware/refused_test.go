package middleware_test

import (
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A type that was refused would travel in the clear, as the base type that it is.
func TestATypeThatWasRefusedIsNotSentAsItsBaseType(t *testing.T) {
	t.Parallel()
	const refusal = "envelope.Register has refused middleware_test.card: Encrypted, but the registry has no key"
	refuse := func(r *envelope.Registry) {
		require.Error(t, envelope.Register[card](r, "bank.Card", envelope.Encrypted()))
	}
	early := envelope.NewRegistry()
	refuse(early)
	_, err := middleware.Install(newServer(&recorder{}), early)
	require.ErrorContains(t, err, refusal)

	late, broker := envelope.NewRegistry(), &recorder{}
	server := newServer(broker)
	m, err := middleware.Install(server, late)
	require.NoError(t, err)
	refuse(late)
	_, err = m.Signature(t.Context(), "t", card("4711"))
	require.ErrorIs(t, err, envelope.ErrRegistration)
	require.ErrorContains(t, err, refusal)
	for _, arg := range []tasks.Arg{{Value: card("4711")}, {Type: "string", Value: card("4711")}} {
		_, err = server.SendTask(&tasks.Signature{Name: "t", Args: []tasks.Arg{arg}})
		require.ErrorContains(t, err, refusal)
	}
	require.ErrorContains(t, m.RegisterTask("t", func(card) error { return nil }), refusal)
	require.Empty(t, broker.published)
}

func TestAStringForATypeThatHasToBeEncryptedIsRefusedWithTheConversion(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]middleware.Option{"needed": nil, "all": {middleware.EnvelopeAll()}} {
		server, m := openBank(t, newBank(t), options...)
		require.NoError(t, m.RegisterTask("one", func(card) error { return nil }))
		require.NoError(t, m.RegisterTask("pointer", func(*card) error { return nil }))
		for _, task := range []string{"one", "pointer"} {
			_, err := m.Signature(t.Context(), task, "4711")
			require.ErrorIs(t, err, envelope.ErrUnencrypted, name)
			require.ErrorContains(t, err, "got string: send `middleware_test.card(value)`", name)
			require.ErrorContains(t, runByHand(t, server, m, task, tasks.Arg{Type: "string", Value: "4711"}),
				"got string: send `middleware_test.card(value)`", name)
		}
	}
}

// strongbox is not registered, and reads itself as the type does that it embeds, which has to be encrypted.
type (
	sealedText struct{ Text string }
	strongbox  struct{ sealedText }
)

func (v sealedText) MarshalText() ([]byte, error)     { return []byte(v.Text), nil }
func (v *sealedText) UnmarshalText(text []byte) error { v.Text = string(text); return nil }

func TestATextInTheClearIsNotReadIntoWhatEmbedsATypeThatHasToBeEncrypted(t *testing.T) {
	t.Parallel()
	types := envelope.NewRegistry(envelope.EncryptMarked(rot{}))
	envelope.MustRegister[sealedText](types, "bank.Sealed", envelope.Encrypted())
	server, m := openBank(t, types)
	require.NoError(t, server.RegisterTask("plain", func() (string, error) { return "4711", nil }))
	s, err := m.Signature(t.Context(), "plain")
	require.NoError(t, err)
	sent, err := m.SendTask(t.Context(), s)
	require.NoError(t, err)
	_, err = middleware.Await[strongbox](t.Context(), m, sent)
	require.ErrorIs(t, err, envelope.ErrUnencrypted)
	_, err = middleware.Await[*strongbox](t.Context(), m, sent)
	require.ErrorIs(t, err, envelope.ErrUnencrypted)
}
