package middleware_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// An argument that names its type is the caller's own word: Machinery sends it, by way of encoding/json.
func TestAHandMadeArgumentWithInvalidUTF8GoesAsMachinerySendsIt(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]middleware.Option{nil, {signed}} {
		broker := &recorder{}
		server, m := install(t, broker, opts...)
		_, err := server.SendTask(&tasks.Signature{Name: "t", Args: []tasks.Arg{{Type: "string", Value: "a\xffb"}}})
		require.NoError(t, err)
		text, err := json.Marshal(broker.published[0])
		require.NoError(t, err)
		var received tasks.Signature
		require.NoError(t, json.Unmarshal(text, &received))
		assert.Equal(t, "a\ufffdb", received.Args[0].Value)
		assert.NoError(t, m.Verify(&received))
	}
}

func TestAnArgumentInAnEnvelopeWithInvalidUTF8IsRefused(t *testing.T) {
	t.Parallel()
	server, m := install(t, &recorder{})
	s, err := m.Signature(t.Context(), "t", order{ID: "\xff"})
	if err == nil {
		_, err = server.SendTask(s)
	}
	assert.ErrorIs(t, err, envelope.ErrUnsupported)
}

// The results of a chord come one by one.
func TestATaskThatTakesASliceSaysHowItTakesTheResultsOfAChord(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("sum", func(context.Context, []order) error { return nil }))
	err := w.deliver(signatureOf("sum", orderOnWire, orderOnWire))
	require.NoError(t, err)
	state, err := w.backend.GetState("task_sum")
	require.NoError(t, err)
	assert.Contains(t, state.Error, "takes 1, got 2")
	assert.Contains(t, state.Error, "`func(ctx context.Context, results ...middleware_test.order) error`")
}
