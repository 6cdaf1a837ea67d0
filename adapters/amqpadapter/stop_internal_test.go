package amqpadapter

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// What a RabbitMQ that is slow has not taken by then is lost with the connection.
func TestStopWaitsUntilRabbitMQHasTakenWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	c, b, _ := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	go b.StopConsuming()
	<-c.stopping.Done()
	require.NoError(t, c.consume(s))
	require.True(t, s.channel.IsClosed())
	c.conn.close(t.Context(), s.channel)
}

// A RabbitMQ may freeze at any moment.
func TestStopWaitsForASilentRabbitMQOnlySoLong(t *testing.T) {
	for _, timeout := range []time.Duration{50 * time.Millisecond, defaultStopTimeout} {
		for moment, silence := range map[string]struct {
			ignored []method
			longest time.Duration
		}{
			"before the stop":               {[]method{basicCancel, channelClose, connectionClose}, timeout + closeTimeout},
			"when no more tasks come":       {[]method{channelClose, connectionClose}, timeout + closeTimeout},
			"when nothing is to be settled": {[]method{connectionClose}, 2 * closeTimeout}, // one connection after the other
		} {
			t.Run(fmt.Sprint(moment, ", ", timeout), func(t *testing.T) {
				creations.Clear()
				defer creations.Clear() // the test's belong to its clock
				synctest.Test(t, func(t *testing.T) {
					fake := &fakeRabbitMQ{}
					b := newFaked(t, fake, WithStopTimeout(timeout))
					var ended sync.WaitGroup
					for _, queue := range []string{"one", "two"} {
						ended.Go(func() {
							retry, err := b.StartConsuming("worker", 1, &adaptertest.Processor{Queue: queue})
							assert.NoError(t, err)
							assert.False(t, retry)
						})
					}
					synctest.Wait()
					fake.ignore(silence.ignored...)
					began := time.Now()
					b.StopConsuming()
					require.InDelta(t, silence.longest, time.Since(began), 0)
					ended.Wait()
					require.NoError(t, b.Close())
				})
			})
		}
	}
}

// What was acknowledged would be lost with the connection else, however late the task ends.
func TestStopWaitsForARabbitMQThatHasRecovered(t *testing.T) {
	creations.Clear()
	defer creations.Clear()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeRabbitMQ{}
		b := newFaked(t, fake)
		worker := b.workers.Start(lifecycle.Name{})
		c := newConsumer(b, worker, "worker", 1, &adaptertest.Processor{})
		s, err := c.open()
		require.NoError(t, err)
		release, ended := make(chan struct{}), make(chan struct{})
		c.goFor(s, func() { <-release })
		fake.ignore(basicCancel)
		go b.StopConsuming()
		<-c.stopping.Done()
		go func() {
			defer close(ended)
			assert.NoError(t, c.consume(s))
		}()
		time.Sleep(2 * defaultStopTimeout)
		fake.recover()
		synctest.Wait()
		close(release)
		<-ended
		require.True(t, s.channel.IsClosed())
		c.abandon(s.channel)
		c.pauses.close()
		worker.End()
		require.NoError(t, b.Close())
	})
}

func TestStopDoesNotWaitForOneWhoConnects(t *testing.T) {
	t.Parallel()
	b := NewBroker(newInternalConfig()).(*broker)
	require.NoError(t, b.publisher.connecting.lock(t.Context()))
	b.StopConsuming()
	b.publisher.connecting.unlock()
	require.NoError(t, b.Close())
}

func TestCloseEndsConnecting(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	cnf := newInternalConfig()
	cnf.Broker = "amqp://guest:guest@" + silent.Addr().String() + "?connection_timeout=3600000"
	b := NewBroker(cnf, WithPublishTimeout(time.Hour)).(*broker)
	ended := make(chan error, 1)
	go func() { ended <- b.Publish(context.Background(), &tasks.Signature{Name: "add"}) }()
	dialled, err := silent.Accept()
	require.NoError(t, err)
	defer func() { _ = dialled.Close() }()
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	require.NoError(t, adaptertest.Await(t, closed))
	require.ErrorIs(t, adaptertest.Await(t, ended), ErrClosed)
}

// newFaked returns a broker with a connection to consume and one to publish.
func newFaked(t *testing.T, fake *fakeRabbitMQ, opts ...BrokerOption) *broker {
	b := NewBroker(newInternalConfig(), opts...).(*broker)
	b.consumers.connection = fake.connect(t)
	b.publisher.conn.Store(newPublishConn(fake.connect(t)))
	return b
}

func newInternalConfig() *config.Config {
	return &config.Config{
		Broker: "amqp://guest:guest@127.0.0.1:1/", DefaultQueue: "queue",
		AMQP: &config.AMQPConfig{Exchange: "exchange", ExchangeType: "direct", BindingKey: "key", PrefetchCount: 1},
	}
}
