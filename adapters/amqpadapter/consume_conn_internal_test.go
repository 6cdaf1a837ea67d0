package amqpadapter

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// newHoldable returns a connection for workers, with one open channel of the two that it may have, and the network to
// RabbitMQ, which a test can hold.
func newHoldable(t *testing.T) (*consumeConn, *callChannel, *adaptertest.Network) {
	address, err := url.Parse(services.AMQP(t))
	require.NoError(t, err)
	network := adaptertest.NewNetwork()
	address.Host, address.RawQuery = network.Proxy(t, address.Host), "channel_max=2"
	c := newConsumeConn(&endpoint{urls: []string{address.String()}})
	channel, err := c.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		network.Interrupt()
		c.close(context.Background(), channel)
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
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.channels
	}
	adaptertest.Eventually(t, func() bool { return channels() == 2 })
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, ended), context.Canceled)
	require.Equal(t, 1, channels())
	network.Release()
	// The connection has room for two.
	adaptertest.Eventually(t, func() bool {
		channel, err := c.open(t.Context())
		if err == nil {
			c.close(t.Context(), channel)
		}
		return err == nil
	})
}

func TestClosingAChannelDoesNotWaitForAnothersConnecting(t *testing.T) {
	t.Parallel()
	c, _, network := newHoldable(t)
	channel, err := c.open(t.Context())
	require.NoError(t, err)
	network.Interrupt()
	adaptertest.Eventually(t, c.connection.IsClosed)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	c.endpoint = &endpoint{urls: []string{"amqp://guest:guest@" + silent.Addr().String()}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.open(ctx)
		ended <- err
	}()
	dialled, err := silent.Accept()
	require.NoError(t, err)
	defer func() { _ = dialled.Close() }()
	c.close(t.Context(), channel)
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, ended), context.Canceled, "it was still connecting")
	require.Equal(t, 1, c.channels)
}

func TestClosingAChannelWaitsForTheCallOnIt(t *testing.T) {
	t.Parallel()
	c, _, _ := newHoldable(t)
	channel, err := c.open(t.Context())
	require.NoError(t, err)
	require.NoError(t, channel.calling.lock(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.close(ended, channel)
	require.False(t, channel.IsClosed())
	channel.calling.unlock()
	adaptertest.Eventually(t, channel.IsClosed)
}

func TestACallWaitsForOneThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &callChannel{calling: newMutex()}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		release := make(chan struct{})
		call := func() error { return c.call(ctx, func() error { <-release; return nil }) }
		require.ErrorIs(t, call(), context.Canceled)
		synctest.Wait()
		var begun atomic.Bool
		require.ErrorIs(t, c.call(ctx, func() error { begun.Store(true); return nil }), context.Canceled)
		synctest.Wait()
		require.False(t, begun.Load())
		close(release)
		synctest.Wait()
		require.True(t, begun.Load())
	})
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

func TestDeclaringLeavesNoChannelOpen(t *testing.T) {
	t.Parallel()
	c, _, _ := newHoldable(t)
	for range 2 { // the connection has room for one at a time
		require.NoError(t, c.declare(t.Context(), declaration{declare: func(channel *amqp.Channel) error {
			return declareExchange(channel, "amq.direct", amqp.ExchangeDirect, nil)
		}}))
	}
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

// What RabbitMQ then handed out would count as delivered.
func TestSubscribingAsksForNothingWhenItsContextHasEnded(t *testing.T) {
	t.Parallel()
	_, channel, _ := newHoldable(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := channel.subscribe(ctx, subscription{queue: "test-" + rand.Text()})
	require.ErrorIs(t, err, context.Canceled)
	for range 20 { // round trips, in any of which RabbitMQ could close the channel: there is no such queue
		require.NoError(t, channel.call(t.Context(), func() error { return channel.Qos(1, 0, false) }))
	}
}

func TestWorkerThatIsToStopWaitsForNoSubscription(t *testing.T) {
	t.Parallel()
	c, b, _ := newPausable(t)
	conn, channel, network := newHoldable(t)
	c.conn, c.forward.conn = conn, conn
	network.Hold()
	go b.StopConsuming()
	<-c.stopping.Done()
	require.ErrorIs(t, c.subscribeTo(&session{channel: channel}), context.Canceled)
	_, err := c.forward.subscribe(channel)
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
