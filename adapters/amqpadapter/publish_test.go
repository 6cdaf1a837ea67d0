package amqpadapter_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

func TestPublishedTaskReachesTheWorkerUnaltered(t *testing.T) {
	broker := newBroker(t, rabbitMQ(t))
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})

	sent := task("add", "a", tasks.Arg{Name: "n", Type: "uint64", Value: uint64(math.MaxUint64)})
	sent.Headers = tasks.Headers{"trace": "1"}
	sent.Priority = 3
	publish(t, broker, sent)

	seen.awaits(t, "a")
	got := seen.signatures()[0]
	require.Equal(t, broker.GetConfig().AMQP.BindingKey, got.RoutingKey)
	require.Equal(t, sent.Headers, got.Headers)
	require.Equal(t, uint8(3), got.Priority)
	require.Equal(t, json.Number("18446744073709551615"), got.Args[0].Value)
}

func TestTasksWaitForTheFirstWorker(t *testing.T) {
	cnf := rabbitMQ(t)
	custom := task("add", "b")
	custom.RoutingKey = customQueueOf(cnf)
	publish(t, newBroker(t, cnf), task("add", "a"), custom)

	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
	require.Equal(t, 1, waiting(t, cnf, customQueueOf(cnf)))
	require.Zero(t, waiting(t, cnf, cnf.AMQP.BindingKey), "a queue that nobody reads")
}

func TestPublishReportsWhatNoQueueTakes(t *testing.T) {
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
	cnf := rabbitMQ(t)
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-length": 1, "x-overflow": "reject-publish"}
	broker := newBroker(t, cnf)
	var err error
	for range 3 { // RabbitMQ lets one more in
		err = broker.Publish(t.Context(), task("add", "a"))
	}
	require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
}

func TestPublishReportsAQueueOfAnotherForm(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-priority": 10}
	err := newBroker(t, cnf).Publish(t.Context(), task("add", "b"))
	var refused *amqp.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, amqp.PreconditionFailed, refused.Code)
	require.ErrorContains(t, err, cnf.DefaultQueue)
	require.ErrorContains(t, err, "x-max-priority")
}

func TestPublishReportsAnUnreachableRabbitMQAtOnce(t *testing.T) {
	began := time.Now()
	err := newBroker(t, offline()).Publish(t.Context(), task("add", "a"))
	require.ErrorContains(t, err, "connect to rabbitmq")
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestErrorsTellNoPassword(t *testing.T) {
	for _, address := range []string{"amqp://user:secret@localhost:1/", "amqp://user:secret@localhost:x/", "http://user:secret@localhost/"} {
		err := newBroker(t, newConfig(address)).Publish(t.Context(), task("add", "a"))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestPublishTriesTheAddressesInTurn(t *testing.T) {
	cnf := rabbitMQ(t)
	real := cnf.Broker
	cnf.Broker, cnf.MultipleBrokerSeparator = "amqp://localhost:1/;"+real, ";"
	publish(t, newBroker(t, cnf), task("add", "a"))
	cnf.Broker = real
	require.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
}

func TestPublishReportsWhatCannotBeEncoded(t *testing.T) {
	err := newBroker(t, offline()).Publish(t.Context(), task("add", "a", tasks.Arg{Type: "float64", Value: math.NaN()}))
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, err, &unsupported)
}

func TestPublishReportsWhatIsMissingInTheConfiguration(t *testing.T) {
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
		require.True(t, retry)
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
	}
}

func TestPublishHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, newBroker(t, rabbitMQ(t)).Publish(ctx, task("add", "a")), context.Canceled)
}

// What is too large would close the connection under all other publishers.
func TestPublishRefusesWhatDoesNotFitInAFrame(t *testing.T) {
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
	broker := newBroker(t, rabbitMQ(t))
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	text := strings.Repeat("large ", 4<<20/6)
	publish(t, broker, task("add", "a", tasks.Arg{Type: "string", Value: text}))
	seen.awaits(t, "a")
	require.True(t, text == seen.signatures()[0].Args[0].Value)
}

func TestClosedBrokerSaysSo(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := amqpadapter.NewBroker(cnf)
	publish(t, broker, task("add", "a"))
	closer := broker.(io.Closer)
	require.NoError(t, closer.Close())
	require.NoError(t, closer.Close())
	require.ErrorIs(t, broker.Publish(t.Context(), task("add", "b")), amqpadapter.ErrClosed)
	retry, err := broker.StartConsuming("worker", 1, &processor{})
	require.False(t, retry)
	require.ErrorIs(t, err, amqpadapter.ErrClosed)
}

func TestBrokerPublishesAfterItsWorkersHaveQuit(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	publish(t, broker, task("add", "a"))
	broker.StopConsuming()
	publish(t, broker, task("add", "b"))
	require.Equal(t, 2, waiting(t, cnf, cnf.DefaultQueue))
}

func TestPendingTasksAreListedAndStay(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, amqpadapter.WithMaxAttempts(2))
	publish(t, broker, task("add", "a"), task("add", "b"))
	for range 5 {
		pending, err := broker.GetPendingTasks("")
		require.NoError(t, err)
		require.Len(t, pending, 2)
		require.Equal(t, "a", pending[0].UUID)
		require.Equal(t, "b", pending[1].UUID)
	}
	// To have looked is no attempt.
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	seen.awaits(t, "a", "b")

	_, err := broker.GetPendingTasks("no such queue")
	require.ErrorContains(t, err, "no such queue")
}

func TestListingReportsAMessageThatIsNoTask(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	publish(t, broker, task("add", "a"))
	sendRaw(t, cnf, "secret")
	_, err := broker.GetPendingTasks("")
	require.ErrorIs(t, err, amqpadapter.ErrNoTask)
	require.NotContains(t, err.Error(), "secret")
	require.Equal(t, 2, waiting(t, cnf, cnf.DefaultQueue))
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
