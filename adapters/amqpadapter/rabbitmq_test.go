package amqpadapter_test

import (
	"context"
	"crypto/rand"
	"io"
	stdlog "log"
	"os"
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

const (
	// patience bounds every wait for something that has to happen.
	patience = 30 * time.Second
	// glance is how long a test watches for something that must not happen.
	glance = 200 * time.Millisecond
	tick   = 2 * time.Millisecond
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(&logs, "", 0))
	goleak.VerifyTestMain(m,
		// Machinery's server never ends its scheduler.
		goleak.IgnoreAnyFunction("github.com/robfig/cron/v3.(*Cron).run"),
		// Machinery's configuration imports a package that starts this one by being imported.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// offline is a configuration of a RabbitMQ that nobody can reach.
func offline() *config.Config { return newConfig("amqp://localhost:1/") }

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
	url := os.Getenv("AMQP_URL")
	if url == "" && os.Getenv("CI") == "true" {
		t.Fatal("AMQP_URL is not set: CI must test on a real RabbitMQ")
	}
	if url == "" {
		t.Skip("AMQP_URL is not set: no RabbitMQ to test on")
	}
	cnf := newConfig(url)
	t.Cleanup(func() {
		channel := dial(t, url)
		for _, queue := range []string{cnf.DefaultQueue, customQueueOf(cnf), cnf.AMQP.BindingKey, delayedQueueOf(cnf)} {
			for _, suffix := range []string{"", ".redelivered", ".dead"} {
				_, err := channel.QueueDelete(queue+suffix, false, false, false)
				require.NoError(t, err)
			}
		}
		require.NoError(t, channel.ExchangeDelete(cnf.AMQP.Exchange, false, false))
	})
	return cnf
}

func customQueueOf(cnf *config.Config) string  { return cnf.DefaultQueue + "-custom" }
func delayedQueueOf(cnf *config.Config) string { return cnf.DefaultQueue + "-delayed" }

// dial opens a channel past the adapter, until the test has ended.
func dial(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	return channel
}

// newBroker makes a broker that is closed when the test has ended, and knows the tasks "add" and "slow".
func newBroker(t testing.TB, cnf *config.Config, opts ...amqpadapter.BrokerOption) brokersiface.Broker {
	t.Helper()
	broker := amqpadapter.NewBroker(cnf, opts...)
	broker.SetRegisteredTaskNames([]string{"add", "slow"})
	t.Cleanup(func() { require.NoError(t, broker.(io.Closer).Close()) })
	return broker
}

// processor is a worker without Machinery's server.
type processor struct {
	queue   string
	process func(*tasks.Signature) error
}

func (p *processor) Process(signature *tasks.Signature) error { return p.process(signature) }
func (p *processor) CustomQueue() string                      { return p.queue }
func (p *processor) PreConsumeHandler() bool                  { return true }

// journal keeps what a processor was given, in order.
type journal struct {
	mu   sync.Mutex
	seen []*tasks.Signature
}

func (j *journal) add(signature *tasks.Signature) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, signature)
	return nil
}

func (j *journal) signatures() []*tasks.Signature {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]*tasks.Signature(nil), j.seen...)
}

func (j *journal) uuids() []string {
	uuids := []string{}
	for _, signature := range j.signatures() {
		uuids = append(uuids, signature.UUID)
	}
	return uuids
}

// awaits waits until just these tasks were seen, in any order.
func (j *journal) awaits(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() bool { return len(j.uuids()) >= len(want) })
	require.ElementsMatch(t, want, j.uuids())
}

// work consumes as Machinery's worker does, until the broker stops; the channel is closed then.
func work(t *testing.T, broker brokersiface.Broker, concurrency int, p *processor) <-chan struct{} {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for retry := true; retry; {
			retry, _ = broker.StartConsuming("worker", concurrency, p)
		}
	}()
	t.Cleanup(func() {
		broker.StopConsuming()
		<-ended
	})
	return ended
}

func publish(t *testing.T, broker brokersiface.Broker, signatures ...*tasks.Signature) {
	t.Helper()
	for _, signature := range signatures {
		require.NoError(t, broker.Publish(context.Background(), signature))
	}
}

func task(name, uuid string, args ...tasks.Arg) *tasks.Signature {
	return &tasks.Signature{Name: name, UUID: uuid, Args: args}
}

func delayed(uuid string, by time.Duration) *tasks.Signature {
	signature := task("add", uuid)
	eta := time.Now().Add(by)
	signature.ETA = &eta
	return signature
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, tick)
}

func closed(done <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// waiting returns the number of messages in a queue, 0 where there is none.
func waiting(t testing.TB, cnf *config.Config, queue string) int {
	t.Helper()
	connection, err := amqp.Dial(cnf.Broker)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	found, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		return 0
	}
	return found.Messages
}
