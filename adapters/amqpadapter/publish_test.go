package amqpadapter_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

func TestTasksWaitForTheFirstWorker(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	custom := task("add", "b")
	custom.RoutingKey = customQueueOf(cnf)
	publish(t, newBroker(t, cnf), task("add", "a"), custom)

	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
	require.Equal(t, 1, waiting(t, cnf, customQueueOf(cnf)))
	require.Zero(t, waiting(t, cnf, cnf.AMQP.BindingKey), "a queue that nobody reads")
}

func TestPublishReportsWhatNoQueueTakes(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "orders.*"
	broker := newBroker(t, cnf)
	lost := task("add", "a")
	lost.RoutingKey = "elsewhere"
	err := broker.Publish(t.Context(), lost)
	require.ErrorIs(t, err, amqpadapter.ErrUnroutable)
	require.ErrorContains(t, err, "elsewhere")

	routed := task("add", "b")
	routed.RoutingKey = "orders.new"
	publish(t, broker, routed)
	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
}

func TestEachOfManyPublishesGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "good"
	broker := newBroker(t, cnf)
	const senders, each = 32, 30
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range each {
				s := task("add", "same")
				s.RoutingKey = "good"
				if (i+sender)%3 == 0 {
					s.RoutingKey = "bad"
				}
				err := broker.Publish(context.Background(), s)
				if s.RoutingKey == "good" && err != nil || s.RoutingKey == "bad" && err == nil {
					t.Errorf("%s: %v", s.RoutingKey, err)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, senders*each*2/3, waiting(t, cnf, cnf.DefaultQueue))
}

func TestPublishDeclaresAgainWhatWasDeleted(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	publish(t, broker, task("add", "a"))
	channel := dial(t, cnf.Broker)
	_, err := channel.QueueDelete(cnf.DefaultQueue, false, false, false)
	require.NoError(t, err)
	publish(t, broker, task("add", "b"))
	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))

	require.NoError(t, channel.ExchangeDelete(cnf.AMQP.Exchange, false, false))
	publish(t, broker, task("add", "c"))
	require.Equal(t, 2, waiting(t, cnf, cnf.DefaultQueue))
}

func TestPublishReportsAFullQueue(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-length": 1, "x-overflow": "reject-publish"}
	publish(t, newBroker(t, cnf), task("add", "first")) // where everything is declared, the time below suffices
	broker := newBroker(t, cnf, amqpadapter.WithPublishTimeout(500*time.Millisecond))
	var err error
	for range 3 { // RabbitMQ lets one more in
		err = broker.Publish(t.Context(), task("add", "a"))
	}
	require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
}

func TestQueueOfAnotherFormIsUsedAsItIsAndReportedOnce(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-priority": 10}
	var logs adaptertest.Log
	broker := newBroker(t, cnf, amqpadapter.WithQueueType("quorum"), amqpadapter.WithLogger(logs.Logger()))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "b"), task("add", "c"))
	seen.Await(t, "a", "b", "c")
	require.Equal(t, 1, logs.Count("using it as it is"))
}

func TestQueueTypeIsThatOfTheOption(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"quorum", "classic"} {
		cnf := rabbitMQ(t)
		cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-priority": 10} // which a quorum queue does not have
		broker := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(1), amqpadapter.WithQueueType(kind))
		var seen journal
		work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
			_ = seen.Add(s)
			return errors.New("to the dead letters")
		}})
		publish(t, broker, task("add", "a"), delayed("b", 20*time.Millisecond))
		seen.Await(t, "a", "b")
		eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 2 })
		for _, suffix := range []string{"", ".redelivered", ".dead", ".pause"} {
			_, err := dial(t, cnf.Broker).QueueDeclare(cnf.DefaultQueue+suffix, true, false, false, false,
				amqp.Table{"x-queue-type": "stream"})
			require.ErrorContains(t, err, "current is", suffix)
			require.True(t, strings.Contains(err.Error(), "'"+kind+"'") || kind == "classic" && strings.Contains(err.Error(), "x-max-priority"), err)
		}
	}
}

func TestPublishWaitsForTheFirstConnectionOnlySoLong(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, offline(), amqpadapter.WithPublishTimeout(300*time.Millisecond))
	err := broker.Publish(t.Context(), task("add", "a"))
	require.ErrorContains(t, err, "connect to rabbitmq")
	require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
}

func TestPublishOpensItsFirstConnectionWhenRabbitMQIsThere(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	network.Interrupt()
	published := make(chan error, 1)
	go func() { published <- newBroker(t, network.cnf).Publish(t.Context(), task("add", "a")) }()
	eventually(t, func() bool { return network.Refused() >= 2 })
	network.Mend()
	require.NoError(t, adaptertest.Await(t, published))
}

func TestPublishReportsWrongCredentialsAtOnce(t *testing.T) {
	t.Parallel()
	err := newBroker(t, ofUnknownUser(t, rabbitMQ(t))).Publish(t.Context(), task("add", "a"))
	require.ErrorIs(t, err, amqp.ErrCredentials)
	require.NotErrorIs(t, err, amqpadapter.ErrNotConfirmed)
}

// ofUnknownUser returns the configuration with credentials that RabbitMQ does not know.
func ofUnknownUser(t *testing.T, cnf *config.Config) *config.Config {
	t.Helper()
	address, err := url.Parse(cnf.Broker)
	require.NoError(t, err)
	address.User = url.UserPassword("nobody", "knows")
	unknown := *cnf
	unknown.Broker = address.String()
	return &unknown
}

func TestErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"amqp://user:secret@localhost:1/", "amqp://user:secret@localhost:x/", "http://user:secret@localhost/"} {
		broker := newBroker(t, newConfig(address), amqpadapter.WithPublishTimeout(100*time.Millisecond))
		err := broker.Publish(t.Context(), task("add", "a"))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestPublishTriesTheAddressesInTurn(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	real := cnf.Broker
	cnf.Broker, cnf.MultipleBrokerSeparator = "amqp://localhost:1/;"+real, ";"
	publish(t, newBroker(t, cnf), task("add", "a"))
	cnf.Broker = real
	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
}

func TestPublishReportsWhatIsMissingInTheConfiguration(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*config.Config){
		"Config.AMQP":  func(cnf *config.Config) { cnf.AMQP = nil },
		"Exchange":     func(cnf *config.Config) { cnf.AMQP.Exchange = "" },
		"ExchangeType": func(cnf *config.Config) { cnf.AMQP.ExchangeType = "" },
		"DefaultQueue": func(cnf *config.Config) { cnf.DefaultQueue = "" },
	} {
		cnf := offline()
		change(cnf)
		broker := newBroker(t, cnf)
		err := broker.Publish(t.Context(), task("add", "a"))
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
		require.ErrorContains(t, err, want)
		retry, err := broker.StartConsuming("worker", 1, &processor{})
		require.False(t, retry, "nothing will change that")
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
	}
}

// What is too large would close the connection under all other publishers.
func TestPublishRefusesWhatDoesNotFitInAFrame(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	publish(t, broker, task("add", "a"))
	for name, change := range map[string]func(*tasks.Signature){
		"routing key":    func(s *tasks.Signature) { s.RoutingKey = strings.Repeat("k", 256) },
		"name of header": func(s *tasks.Signature) { s.Headers = tasks.Headers{strings.Repeat("h", 256): "x"} },
		"headers":        func(s *tasks.Signature) { s.Headers = tasks.Headers{"h": strings.Repeat("x", 1<<17)} },
	} {
		t.Run(name, func(t *testing.T) {
			s := task("add", "b")
			change(s)
			require.ErrorIs(t, broker.Publish(t.Context(), s), amqpadapter.ErrTooLarge)
		})
	}
	long := task(strings.Repeat("n", 300), strings.Repeat("u", 300))
	long.Headers = tasks.Headers{"h": strings.Repeat("x", 100_000)}
	publish(t, broker, long)
	require.Equal(t, 2, waiting(t, cnf, cnf.DefaultQueue))
}

func TestLargeTaskArrives(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, rabbitMQ(t))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	text := strings.Repeat("large ", 4<<20/6)
	publish(t, broker, task("add", "a", tasks.Arg{Type: "string", Value: text}))
	seen.Await(t, "a")
	require.True(t, text == seen.Tasks()[0].Args[0].Value)
}

// sendRaw puts messages in the default queue past the broker.
func sendRaw(t testing.TB, cnf *config.Config, bodies ...string) {
	t.Helper()
	channel := dial(t, cnf.Broker)
	for _, body := range bodies {
		require.NoError(t, channel.Publish("", cnf.DefaultQueue, true, false, amqp.Publishing{Body: []byte(body)}))
	}
	require.NoError(t, channel.Close()) // it waits until all has arrived
}
