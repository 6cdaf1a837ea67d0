package amqpadapter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

func TestOptionsThatCannotBeMeantAreNamedWithTheirValue(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]amqpadapter.BrokerOption{
		"WithMaxAttempts(0)":     amqpadapter.WithMaxAttempts(0),
		"WithBackoff(0s, 1s)":    amqpadapter.WithBackoff(0, time.Second),
		"WithBackoff(2s, 1s)":    amqpadapter.WithBackoff(2*time.Second, time.Second),
		"WithPublishTimeout(0s)": amqpadapter.WithPublishTimeout(0),
		"WithStopTimeout(-1s)":   amqpadapter.WithStopTimeout(-time.Second),
		"WithDeadLetters(nil)":   amqpadapter.WithDeadLetters(nil),
		"WithLogger(nil)":        amqpadapter.WithLogger(nil),
	} {
		broker := newBroker(t, offline(), option)
		err := broker.Publish(t.Context(), task("add", "a"))
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
		require.ErrorContains(t, err, want)
		retry, err := broker.StartConsuming("worker", 1, &processor{})
		require.False(t, retry, "nothing will change that")
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}
