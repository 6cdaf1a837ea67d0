package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestEnvelopeAllPutsNativeArgumentsInEnvelopes(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, middleware.EnvelopeAll())
	s, err := m.Signature(t.Context(), "t", 7, "text", []int64{1}, true, 1.5, order{"o-1", 2.5}, status("open"))
	require.NoError(t, err)
	s.Args = append(s.Args, tasks.Arg{Type: "int64", Value: 8}, tasks.Arg{Type: "[]string", Value: nil},
		tasks.Arg{Type: "string", Value: status("open")}, tasks.Arg{Value: "bare"})
	s.OnSuccess = []*tasks.Signature{{Name: "next", Args: []tasks.Arg{{Type: "string", Value: "nested"}}}}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	sent := broker.published[0]
	for i, want := range []string{"int", "string", "[]int64", "bool", "float64", "shop.Order", "string", "int64", "[]string", "string", "string"} {
		assert.Equal(t, "string", sent.Args[i].Type)
		header, err := envelope.Parse(sent.Args[i].Value.(string))
		require.NoError(t, err)
		assert.Equal(t, want, header.Type)
	}
	assert.True(t, envelope.Is(sent.OnSuccess[0].Args[0].Value.(string)))
}

// mask hides payloads as well as encryption does, from who does not look closely.
type mask struct{}

func (mask) Encrypt(text, _ []byte) ([]byte, error) { return masked(text), nil }
func (mask) Decrypt(text, _ []byte) ([]byte, error) { return masked(text), nil }

func masked(text []byte) []byte {
	hidden := make([]byte, len(text))
	for i, b := range text {
		hidden[i] = b ^ 13
	}
	return hidden
}

func TestNilForATextArrivesAsNilWhenItIsEncrypted(t *testing.T) {
	t.Parallel()
	server := newServer(eager.New())
	m, err := middleware.Install(server, envelope.NewRegistry(envelope.EncryptAll(mask{})), middleware.EnvelopeAll())
	require.NoError(t, err)
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	require.NoError(t, m.RegisterTask("t", func(text *string) (bool, error) { return text == nil, nil }))
	for _, absent := range []any{nil, (*string)(nil)} {
		isNil, err := run[bool](t, server, m, "t", absent)
		require.NoError(t, err)
		assert.True(t, isNil)
	}
}

func TestEnvelopeAllRefusesWhatDoesNotFitTheTypeItNames(t *testing.T) {
	t.Parallel()
	server, _ := install(t, &recorder{}, middleware.EnvelopeAll())
	err := server.GetBroker().Publish(t.Context(), &tasks.Signature{Name: "t", Args: []tasks.Arg{{Type: "int8", Value: 300}}})
	assert.ErrorIs(t, err, envelope.ErrTypeMismatch)
	assert.ErrorContains(t, err, `task "t": argument 1`)
	assert.NotContains(t, err.Error(), "300")
}

func TestEnvelopeAllServesWrappedAndPlainTasks(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.EnvelopeAll())
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	require.NoError(t, m.RegisterTask("wrapped", func(n int64, text string, more ...uint8) (int8, []byte, error) {
		return int8(n), append([]byte(text), more...), nil
	}))
	var got []any
	require.NoError(t, server.RegisterTask("plain", func(n int8, b []byte, note string) error {
		got = append(got, n, string(b), note)
		return nil
	}))
	s, err := m.Signature(t.Context(), "wrapped", 7, `{"$envelope":`, byte('!'))
	require.NoError(t, err)
	require.NoError(t, server.RegisterTask("swap", func(n int8, b []byte) (int8, []byte, string, error) { return n, b, "note", nil }))
	s.OnSuccess = []*tasks.Signature{{Name: "swap", OnSuccess: []*tasks.Signature{{Name: "plain"}}}}
	res, err := m.SendTask(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, []any{int8(7), `{"$envelope":!`, "note"}, got)

	state := res.GetState()
	for _, result := range state.Results {
		assert.True(t, envelope.Is(result.Value.(string)), "in the backend")
	}
	var n int64
	var b []byte
	require.NoError(t, middleware.Scan(t.Context(), m, res, &n, &b))
	assert.Equal(t, int64(7), n)
	assert.Equal(t, `{"$envelope":!`, string(b))
}

func TestEnvelopeAllKeepsTheRangeOfNumbers(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.EnvelopeAll())
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	require.NoError(t, m.RegisterTask("t", func(int8) error { return nil }))
	assert.ErrorContains(t, runByHand(t, server, m, "t", tasks.Arg{Value: 300}), "overflows int8")
	_, err := m.Signature(t.Context(), "t", 300)
	assert.ErrorContains(t, err, "overflows int8")
}

type refusal struct{ Code int }

func (r *refusal) Error() string { return fmt.Sprint("refused: ", r.Code) }

func TestEnvelopeAllKeepsErrorsForErrorCallbacks(t *testing.T) {
	t.Parallel()
	types := registry()
	envelope.MustRegister[refusal](types, "shop.Refusal")
	server := newServer(eager.New())
	m, err := middleware.Install(server, types, middleware.EnvelopeAll())
	require.NoError(t, err)
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	require.NoError(t, m.RegisterTask("fail", func() error { return &refusal{7} }))
	var got error
	var text string
	require.NoError(t, m.RegisterTask("wrapped", func(err error) error { got = err; return nil }))
	require.NoError(t, server.RegisterTask("plain", func(s string) error { text = s; return nil }))
	_, err = m.SendTask(t.Context(), &tasks.Signature{Name: "fail", OnError: []*tasks.Signature{{Name: "wrapped"}, {Name: "plain"}}})
	require.NoError(t, err)
	var cause *refusal
	require.ErrorAs(t, got, &cause)
	assert.Equal(t, 7, cause.Code)
	assert.Contains(t, text, "refused: 7\n")
}

func TestEnvelopeAllHoldsForRetriesOfPlainTasks(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.EnvelopeAll())
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	var got []int64
	require.NoError(t, server.RegisterTask("t", func(n int64) error {
		if got = append(got, n); len(got) < 3 {
			return errors.New("again")
		}
		return nil
	}))
	_, err := m.SendTask(t.Context(), &tasks.Signature{Name: "t", RetryCount: 5, Args: []tasks.Arg{{Type: "int64", Value: int64(7)}}})
	require.NoError(t, err)
	assert.Equal(t, []int64{7, 7, 7}, got)
}

func TestEnvelopeAllHoldsForTypedTasks(t *testing.T) {
	t.Parallel()
	server, m := install(t, eager.New(), middleware.EnvelopeAll())
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	double := middleware.NewTask[int, int]("double")
	require.NoError(t, double.Register(m, func(_ context.Context, n int) (int, error) { return 2 * n, nil }))
	res, err := double.Send(t.Context(), m, 21)
	require.NoError(t, err)
	assert.True(t, envelope.Is(res.Signature.Args[0].Value.(string)))
	assert.True(t, envelope.Is(res.GetState().Results[0].Value.(string)))
	n, err := res.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 42, n)
}
