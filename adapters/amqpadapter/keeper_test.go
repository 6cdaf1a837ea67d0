package amqpadapter_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestTheBrokersDeadLettersAreThereForTheMiddleware(t *testing.T) {
	cnf := rabbitMQ(t)
	own := newDeadLetters(t, cnf)
	given := newBroker(t, cnf, amqpadapter.WithDeadLetters(own)).(middleware.DeadLetterKeeper)
	require.Same(t, own, given.DeadLetters())

	byDefault := newBroker(t, cnf).(middleware.DeadLetterKeeper).DeadLetters()
	require.NoError(t, byDefault.Push(t.Context(), task("add", "a"), errors.New("why")))
	letters, err := byDefault.(*amqpadapter.DeadLetters).List(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, "a", letters[0].Task.UUID)
	require.Equal(t, "why", letters[0].Reason)
}
