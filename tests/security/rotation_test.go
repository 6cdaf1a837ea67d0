package security_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Tasks sent under an old key are done while producers use the new one already; those under a withdrawn key are dead
// letters that say so. Wrapped tasks and plain ones, whose arguments are encrypted by EnvelopeAll.
func TestEncryptionKeysAreRotated(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		keys := newAEADKeys(t)
		oldKey := keys.primary(t)
		join := func() *party { return s.join(t, registry(t, keys.encryption(t)), middleware.EnvelopeAll()) }
		outdated := registry(t, keys.encryption(t))
		before := join()
		newKey := keys.add(t) // first every reader gets to know it
		worker := join()
		keys.use(t, newKey)
		after := join()
		require.NoError(t, worker.RegisterTask("wrapped", func(o Order) (Order, error) { return o, nil }))
		require.NoError(t, worker.server.RegisterTask("plain", func(id string, n int64) (string, error) { return id, nil }))
		worker.launch(t)
		for _, producer := range []*party{before, after} {
			wrapped := producer.send(t, "wrapped", Order{ID: "o-1"})
			plain := producer.send(t, "plain", "o-2", int64(7))
			// The results are under the key that the worker writes with.
			o, err := await[Order](t, after, wrapped)
			require.NoError(t, err)
			assert.Equal(t, "o-1", o.ID)
			id, err := await[string](t, after, plain)
			require.NoError(t, err)
			assert.Equal(t, "o-2", id)
		}

		keys.withdraw(t, oldKey)
		s = s.another()
		worker = s.join(t, registry(t, keys.encryption(t)), middleware.EnvelopeAll())
		late := s.join(t, outdated, middleware.EnvelopeAll())
		require.NoError(t, worker.RegisterTask("wrapped", func(Order) error { return nil }))
		var ran []string
		require.NoError(t, worker.server.RegisterTask("plain", func(id string) error { ran = append(ran, id); return nil }))
		worker.launch(t)
		for i, name := range []string{"wrapped", "plain"} {
			var argument any = Order{ID: "s3cret"}
			if name == "plain" {
				argument = "s3cret"
			}
			_, err := await[struct{}](t, late, late.send(t, name, argument))
			assert.ErrorContains(t, err, envelope.ErrUndecryptable.Error())
			letters, reasons := worker.dead.await(t, i+1)
			assert.Equal(t, name, letters[i].Name)
			assert.ErrorIs(t, reasons[i], envelope.ErrUndecryptable)
			assert.NotContains(t, reasons[i].Error(), "s3cret")
		}
		assert.Empty(t, ran)
	})
}

func TestSignatureKeysAreRotated(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		keys := newMACKeys(t)
		oldKey, outdated := keys.primary(t), keys.signing(t)
		before := s.join(t, registry(t), outdated)
		newKey := keys.add(t)
		worker := s.join(t, registry(t), keys.signing(t))
		keys.use(t, newKey)
		after := s.join(t, registry(t), keys.signing(t))
		require.NoError(t, worker.RegisterTask("echo", func(o Order) (Order, error) { return o, nil }))
		worker.launch(t)
		for _, producer := range []*party{before, after} {
			o, err := await[Order](t, after, producer.send(t, "echo", Order{ID: "o-1"}))
			require.NoError(t, err)
			assert.Equal(t, "o-1", o.ID)
		}

		keys.withdraw(t, oldKey)
		s = s.another()
		worker = s.join(t, registry(t), keys.signing(t))
		late := s.join(t, registry(t), outdated)
		require.NoError(t, worker.RegisterTask("echo", func(o Order) (Order, error) { return o, nil }))
		worker.launch(t)
		late.send(t, "echo", Order{ID: "o-1"})
		_, reasons := worker.dead.await(t, 1)
		assert.ErrorIs(t, reasons[0], middleware.ErrForged)
	})
}

// shelf is a payload store that loses what it has.
type shelf struct{}

func (shelf) Put(_ context.Context, data []byte) (string, error) {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data)), nil
}

func (shelf) Get(context.Context, string, int) ([]byte, error) {
	return nil, envelope.ErrMissingPayload
}

func TestATaskWhosePayloadIsGoneIsADeadLetter(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		join := func() *party {
			return s.join(t, registry(t, envelope.WithStore(shelf{}, 10)), middleware.EnvelopeAll())
		}
		producer, worker := join(), join()
		require.NoError(t, worker.RegisterTask("wrapped", func(Order) error { return nil }))
		require.NoError(t, worker.server.RegisterTask("plain", func(string) error { return nil }))
		worker.launch(t)
		long := "s3cret, and long enough for the store"
		for i, args := range []any{Order{ID: long}, long} {
			_, err := await[struct{}](t, producer, producer.send(t, []string{"wrapped", "plain"}[i], args))
			assert.ErrorContains(t, err, envelope.ErrMissingPayload.Error())
			_, reasons := worker.dead.await(t, i+1)
			assert.ErrorIs(t, reasons[i], envelope.ErrMissingPayload)
		}
	})
}

// With everything on, no payload is in any log, dead letter's reason, failure or observation, whatever goes wrong.
func TestNoPayloadIsLogged(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		const secret = "4929-s3cret"
		encryption, mac := newAEADKeys(t), newMACKeys(t)
		join := func(opts ...middleware.Option) *party {
			return s.join(t, registry(t, encryption.encryption(t)), append(opts, mac.signing(t), middleware.EnvelopeAll())...)
		}
		producer, worker := join(), join(middleware.RetryUnknown(time.Millisecond, 1))
		stranger := s.join(t, registry(t), newMACKeys(t).signing(t))
		careless := s.join(t, registry(t), mac.signing(t))
		order := Order{ID: "o-1", Card: secret}
		tries := 0
		require.NoError(t, worker.RegisterTask("echo", func(o Order, _ string) (Order, string, error) { return o, o.Card, nil }))
		require.NoError(t, worker.RegisterTask("retried", func(o Order) error {
			if tries++; tries == 1 {
				return tasks.NewErrRetryTaskLater("later", time.Millisecond)
			}
			return nil
		}))
		worker.launch(t)

		var o Order
		var card string
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		require.NoError(t, middleware.Scan(ctx, producer.Middleware, producer.send(t, "echo", order, secret), &o, &card))
		assert.Equal(t, secret, card)
		_, err := await[struct{}](t, producer, producer.send(t, "retried", order))
		require.NoError(t, err)
		// What is refused: by its signature, its envelope, its number and types of arguments.
		stranger.send(t, "echo", order, secret)
		careless.send(t, "echo", order, secret)
		producer.send(t, "echo", order)
		producer.send(t, "echo", secret, order)
		s.push(t, marshal(t, newTask("echo", secret)))
		_, reasons := worker.dead.await(t, 5)
		for _, reason := range reasons {
			assert.NotContains(t, reason.Error(), secret)
		}
		assert.NotContains(t, logged.String(), secret)
		assert.Contains(t, logged.String(), "envelope: refused task")
		assert.Contains(t, logged.String(), "Processed task", "which is Machinery's, at DEBUG")
	})
}
