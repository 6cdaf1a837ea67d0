package amqpadapter

import (
	"context"
	"net/url"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// newHoldable returns a connection for workers with an open channel, and the network to RabbitMQ, which a test can hold.
func newHoldable(t *testing.T) (*consumeConn, *callChannel, *adaptertest.Network) {
	address, err := url.Parse(services.AMQP(t))
	require.NoError(t, err)
	network := adaptertest.NewNetwork()
	address.Host = network.Proxy(t, address.Host)
	c := newConsumeConn(endpoint{urls: []string{address.String()}})
	channel, err := c.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		network.Interrupt()
		c.close(channel)
		require.Nil(t, c.connection)
	})
	return c, channel, network
}

// The client library waits for a RabbitMQ that is silent until it takes the connection for lost, which is an error of its
// own. A worker that is to stop waits no longer than its context.

func TestOpeningAChannelEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, _, network := newHoldable(t)
	network.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.open(ctx)
		ended <- err
	}()
	channels := func() int {
		require.NoError(t, c.connecting.lock(t.Context()))
		defer c.connecting.unlock()
		return c.channels
	}
	adaptertest.Eventually(t, func() bool { return channels() == 2 })
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, ended), context.Canceled)
	require.Equal(t, 1, channels())
}

func TestDeclaringEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, _, network := newHoldable(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.declare(ctx, declaration{declare: func(channel *amqp.Channel) error {
		network.Hold()
		cancel()
		return declareExchange(channel, "amq.direct", amqp.ExchangeDirect, nil)
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, c.channels)
}

func TestSubscribingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, channel, network := newHoldable(t)
	network.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := channel.subscribe(ctx, subscription{queue: "amq.none"})
	require.ErrorIs(t, err, context.Canceled)
}

// What is opened too late is closed: nobody else would.
func TestWhatComesTooLateIsGivenBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	comes, givenBack := make(chan int), make(chan int, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := obtain(ctx, func() (int, error) { return <-comes, nil }, func(n int) { givenBack <- n })
		ended <- err
	}()
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, ended), context.Canceled)
	comes <- 7
	require.Equal(t, 7, adaptertest.Await(t, givenBack))
}
