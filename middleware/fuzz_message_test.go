package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// decode reads JSON as Machinery does.
func decodeInto(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(v)
}

// Whatever a message says, it comes to an end without a panic, and none runs a task that is not signed.
func FuzzReceivedMessage(f *testing.F) {
	for _, message := range []string{
		`{"Name":"t","UUID":"task_t","Args":[{"Type":"string","Value":"x"}]}`, `{"Name":"plain","Args":[{"Type":"[]int8","Value":3}]}`,
		`{"Name":"t","Headers":{"envelope-signature":"1 1 - AAAA","envelope-created":7,"envelope-format":"1"},"ETA":"2031-02-03T04:05:06Z"}`,
		`{"Name":"t","OnSuccess":[null,{"OnError":[{}]}],"ChordCallback":{"Args":[{}]},"GroupUUID":"g","RetryCount":-1}`,
		`{"Name":"plain","Headers":{"envelope-format":"1","envelope-attempts":"9"},"Args":[{"Type":"string","Value":"{\"$envelope\":1,\"type\":\"int8\",\"data\":3}"}]}`,
	} {
		f.Add([]byte(message))
	}
	newWorker := func(opts ...middleware.Option) (*delivering, *int) {
		broker, ran := &delivering{}, new(int)
		server := machinery.NewServer(&config.Config{}, broker, newStore(), eagerlock.New())
		m, err := middleware.Install(server, registry(), append(opts, middleware.WithDeadLetters(&letterBox{}))...)
		require.NoError(f, err)
		require.NoError(f, m.RegisterTask("t", func(order) error { *ran++; return nil }))
		require.NoError(f, server.RegisterTask("plain", func(int8) error { *ran++; return nil }))
		_, err = server.GetBroker().StartConsuming("w", 1, m.NewWorker("w", 1))
		require.NoError(f, err)
		return broker, ran
	}
	open, _ := newWorker()
	guarded, ran := newWorker(signed)
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, broker := range []*delivering{open, guarded} {
			s := new(tasks.Signature)
			if decodeInto(message, s) != nil {
				return
			}
			_ = broker.processor.Process(s)
		}
		assert.Zero(t, *ran)
	})
}

// Whatever a result backend says, Await returns a value that is genuine, or an error.
func FuzzAwaitedState(f *testing.F) {
	for _, state := range []string{
		`{"State":"SUCCESS","Results":[{"Type":"string","Value":"x"}]}`, `{"State":"SUCCESS"}`, `{"State":"FAILURE","Error":"x"}`,
		`{"State":"SUCCESS","Results":[null,{"Type":"envelope-signature","Value":"2 - own  AAAA"}]}`,
		`{"State":"SUCCESS","Results":[{"Type":"[]int8","Value":7}],"TaskUUID":"other","TaskName":"own","CreatedAt":"2031-02-03T04:05:06Z"}`,
		`{"State":"FAILURE","Error":"x\nenvelope-refused: forged limit"}`, `{"State":"FAILURE","Error":"Reflect task args error: an envelope (not signed"}`,
		`{"State":"FAILURE","Error":"x\n{\"$envelope\":1,\"type\":\"shop.Order\",\"data\":null}\nenvelope-signature: 2 - %zz  AAAA"}`,
	} {
		f.Add([]byte(state))
	}
	kept := newStore()
	await := func(opts ...middleware.Option) func(*testing.T) error {
		server := machinery.NewServer(&config.Config{}, &recorder{}, kept, eagerlock.New())
		m, err := middleware.Install(server, registry(), opts...)
		require.NoError(f, err)
		return func(t *testing.T) error {
			sent := &tasks.Signature{UUID: "task_own", Name: "own"}
			_, err := middleware.Await[order](t.Context(), m, result.NewAsyncResult(sent, server.GetBackend()))
			return err
		}
	}
	awaitAny, awaitSigned := await(), await(signed)
	f.Fuzz(func(t *testing.T, text []byte) {
		state := new(tasks.TaskState)
		if decodeInto(text, state) != nil || !state.IsCompleted() {
			return
		}
		state.TaskUUID = "task_own"
		require.NoError(t, kept.set(state))
		var panicked runtime.Error
		assert.False(t, errors.As(awaitAny(t), &panicked))
		err := awaitSigned(t)
		require.Error(t, err)
		assert.True(t, errors.Is(err, middleware.ErrUnsigned) || errors.Is(err, middleware.ErrForged), "%v", err)
	})
}
