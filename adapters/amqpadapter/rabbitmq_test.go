package amqpadapter_test

import (
	"crypto/rand"
	"io"
	stdlog "log"
	"testing"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/duequeue"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

type (
	processor = adaptertest.Processor
	journal   = adaptertest.Journal
)

var (
	work       = adaptertest.Work
	publish    = adaptertest.Publish
	task       = adaptertest.Task
	delayed    = adaptertest.Delayed
	eventually = adaptertest.Eventually
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	adaptertest.Main(m)
}

// offline is a configuration of a RabbitMQ that nobody can reach.
func offline() *config.Config { return newConfig("amqp://guest:guest@127.0.0.1:1/") }

// newConfig has an exchange and queues that no other test uses.
func newConfig(url string) *config.Config {
	name := "test-" + rand.Text()
	return &config.Config{
		Broker:        url,
		ResultBackend: url,
		DefaultQueue:  name,
		NoUnixSignals: true,
		AMQP: &config.AMQPConfig{
			Exchange:      name,
			ExchangeType:  "direct",
			BindingKey:    name + "-key",
			PrefetchCount: 3,
		},
	}
}

// rabbitMQ is a configuration of the real one, from which everything is removed when the test has ended.
func rabbitMQ(t testing.TB) *config.Config {
	t.Helper()
	return rabbitMQAt(t, services.AMQP(t))
}

// rabbitMQAt is the same on the RabbitMQ of a URL.
func rabbitMQAt(t testing.TB, url string) *config.Config {
	t.Helper()
	cnf := newConfig(url)
	t.Cleanup(func() {
		connection, channel := connect(t, url)
		for _, queue := range []string{cnf.DefaultQueue, customQueueOf(cnf), cnf.AMQP.BindingKey, delayedQueueOf(cnf)} {
			for _, suffix := range []string{"", ".redelivered", ".dead", ".pause"} {
				_, err := channel.QueueDelete(queue+suffix, false, false, false)
				require.NoError(t, err)
			}
		}
		duequeue.Delete(t, connection, cnf.AMQP.Exchange)
		require.NoError(t, channel.ExchangeDelete(cnf.AMQP.Exchange, false, false))
	})
	return cnf
}

func customQueueOf(cnf *config.Config) string  { return cnf.DefaultQueue + "-custom" }
func delayedQueueOf(cnf *config.Config) string { return cnf.DefaultQueue + "-delayed" }

// dial opens a channel past the adapter, until the test has ended.
func dial(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	_, channel := connect(t, url)
	return channel
}

func connect(t testing.TB, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	return connection, channel
}

// newBroker makes a broker that is closed when the test has ended, and knows the tasks "add" and "slow".
func newBroker(t testing.TB, cnf *config.Config, opts ...amqpadapter.BrokerOption) brokersiface.Broker {
	t.Helper()
	broker := amqpadapter.NewBroker(cnf, opts...)
	broker.SetRegisteredTaskNames([]string{"add", "slow"})
	t.Cleanup(func() { require.NoError(t, broker.(io.Closer).Close()) })
	return broker
}

// publishAtLast publishes with a broker whose publish timeout may be too short for a busy machine.
func publishAtLast(t *testing.T, broker brokersiface.Broker, s *tasks.Signature) {
	t.Helper()
	eventually(t, func() bool { return broker.Publish(t.Context(), s) == nil })
}

// waiting returns the number of messages in a queue, 0 where there is none.
func waiting(t testing.TB, cnf *config.Config, queue string) int {
	t.Helper()
	found, _ := declared(t, cnf, queue)
	return found.Messages
}

func declared(t testing.TB, cnf *config.Config, queue string) (_ amqp.Queue, found bool) {
	t.Helper()
	connection, err := amqp.Dial(cnf.Broker)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	queued, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	return queued, err == nil
}
