package amqpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var _ middleware.DeadLetters = (*amqpadapter.DeadLetters)(nil)

func newDeadLetters(t *testing.T, cnf *config.Config) *amqpadapter.DeadLetters {
	t.Helper()
	dead, err := amqpadapter.NewDeadLetters(t.Context(), cnf.Broker, cnf.DefaultQueue+".dead")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dead.Close()) })
	return dead
}

// stopped is a broker that uses the dead letters, and whose worker has given some messages to them.
func stopped(t *testing.T, cnf *config.Config, dead *amqpadapter.DeadLetters, signatures ...*tasks.Signature) brokersiface.Broker {
	t.Helper()
	broker := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(2), amqpadapter.WithDeadLetters(dead))
	ended := work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return errors.New("no state") }})
	publish(t, broker, signatures...)
	eventually(t, func() bool { return count(t, dead) == len(signatures) })
	broker.StopConsuming()
	adaptertest.Await(t, ended)
	return broker
}

func count(t *testing.T, dead *amqpadapter.DeadLetters) int {
	t.Helper()
	n, err := dead.Count(t.Context())
	require.NoError(t, err)
	return n
}

func list(t *testing.T, dead *amqpadapter.DeadLetters) []amqpadapter.DeadLetter {
	t.Helper()
	var letters []amqpadapter.DeadLetter
	for letter, err := range dead.All(t.Context()) {
		require.NoError(t, err)
		letters = append(letters, letter)
	}
	return letters
}

func TestDeadLettersKeepTheMessageAndTheReason(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	sent := task("add", "a", tasks.Arg{Type: "string", Value: `{"$envelope":1,"type":"orders.Order","data":{}}`})
	sent.Headers = tasks.Headers{"tenant": "acme"}
	began := time.Now().Add(-2 * time.Second) // AMQP keeps whole seconds
	stopped(t, cnf, dead, sent)
	for range 2 { // looking takes nothing away
		letters := list(t, dead)
		require.Len(t, letters, 1)
		letter := letters[0]
		require.Equal(t, "a", letter.Task.UUID)
		require.Equal(t, "acme", letter.Attributes["tenant"])
		require.Equal(t, "orders.Order", letter.Attributes[amqpadapter.TypesHeader])
		require.Contains(t, letter.Reason, amqpadapter.ErrTooManyAttempts.Error())
		require.Contains(t, letter.Reason, "no state")
		require.Equal(t, cnf.DefaultQueue, letter.Queue)
		require.WithinRange(t, letter.Time, began, time.Now())
	}
}

func TestReplayedTaskRunsAsItWasSent(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	sent := task("add", "a", tasks.Arg{Type: "string", Value: "<kept>"})
	sent.Headers = tasks.Headers{middleware.AttemptsHeader: "10", middleware.UnknownHeader: "3", "tenant": "acme"}
	sent.RoutingKey = customQueueOf(cnf)
	custom := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(1), amqpadapter.WithDeadLetters(dead))
	work(t, custom, 1, &processor{Queue: customQueueOf(cnf), Func: func(*tasks.Signature) error { return errors.New("no state") }})
	publish(t, custom, sent)
	eventually(t, func() bool { return count(t, dead) == 1 })
	custom.StopConsuming()

	require.NoError(t, dead.Replay(t.Context(), list(t, dead)[0].ID))
	require.Zero(t, count(t, dead))
	var seen journal
	worker := newBroker(t, cnf, amqpadapter.WithMaxAttempts(1), amqpadapter.WithDeadLetters(dead))
	work(t, worker, 1, &processor{Queue: customQueueOf(cnf), Func: seen.Add})
	seen.Await(t, "a")
	got := seen.Tasks()[0]
	require.Equal(t, tasks.Headers{"tenant": "acme"}, got.Headers)
	require.Equal(t, "<kept>", got.Args[0].Value)
	require.Equal(t, customQueueOf(cnf), got.RoutingKey)
	require.Zero(t, count(t, dead))
}

func TestReplayKeepsWhatNoQueueTakes(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	stopped(t, cnf, dead, task("add", "a"))
	_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue, false, false, false)
	require.NoError(t, err)
	err = dead.Replay(t.Context(), list(t, dead)[0].ID)
	require.ErrorIs(t, err, deadletter.ErrUnknownQueue)
	require.ErrorIs(t, err, amqpadapter.ErrUnroutable)
	n, err := dead.ReplayAll(t.Context())
	require.ErrorIs(t, err, amqpadapter.ErrUnroutable)
	require.Zero(t, n)
	require.Equal(t, 1, count(t, dead))
}

// The middleware pushes tasks without a word about the queue that they came from.
func TestTasksPushedByTheMiddlewareAreReplayedThroughTheExchange(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	pushed := task("add", "a")
	pushed.RoutingKey = cnf.AMQP.BindingKey
	require.NoError(t, dead.Push(t.Context(), pushed, errors.New("shop.Novelty is not registered")))
	letter := list(t, dead)[0]
	require.Equal(t, "shop.Novelty is not registered", letter.Reason)
	require.ErrorIs(t, dead.Replay(t.Context(), letter.ID), deadletter.ErrUnknownQueue, "nothing says what the key leads to")

	worker := newBroker(t, cnf, amqpadapter.WithDeadLetters(dead))
	_, err := dead.DropAll(t.Context())
	require.NoError(t, err)
	require.NoError(t, dead.Push(t.Context(), pushed, errors.New("x")))
	n, err := dead.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	var seen journal
	work(t, worker, 1, &processor{Func: seen.Add})
	seen.Await(t, "a")
}

func TestRejectedMessagesGoToTheDeadLettersByRabbitMQItself(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	broker := newBroker(t, cnf, amqpadapter.WithDeadLetters(dead), amqpadapter.RejectToDeadLetters())
	publish(t, broker, delayed("a", 5*time.Millisecond))
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 1 })
	d, ok, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue, false)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, d.Reject(false)) // as Machinery's workers do with what is no task
	eventually(t, func() bool { return count(t, dead) == 1 })
	letter := list(t, dead)[0]
	require.Equal(t, "rejected", letter.Reason)
	require.Equal(t, cnf.DefaultQueue, letter.Queue)
	require.Equal(t, cnf.AMQP.BindingKey, letter.Attributes[amqpadapter.DeathRoutingKeyHeader])
	require.Equal(t, cnf.AMQP.Exchange, list(t, dead)[0].Attributes["machinery-delay-exchange"])

	require.NoError(t, dead.Replay(t.Context(), letter.ID))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	seen.Await(t, "a")
}

func TestDeadLettersHeedTheContextAndSayWhenTheyAreClosed(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, dead.Push(ctx, task("add", "a"), errors.New("x")), context.Canceled)
	for _, err := range dead.All(ctx) {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := amqpadapter.NewDeadLetters(ctx, cnf.Broker, "x")
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, dead.Close())
	require.NoError(t, dead.Close())
	_, err = dead.Count(t.Context())
	require.ErrorIs(t, err, amqpadapter.ErrClosed)
	_, err = dead.Get(t.Context(), "x")
	require.ErrorIs(t, err, amqpadapter.ErrClosed)
	require.NotErrorIs(t, err, deadletter.ErrNotFound, "nobody knows")
}

// What is dropped is still counted when nobody waits for it any more: the race detector watches.
func TestDropAllMayBeInterrupted(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	const pushed = 100
	for range pushed {
		require.NoError(t, dead.Push(t.Context(), task("add", "a"), errors.New("no state")))
	}
	for timeout := time.Millisecond; count(t, dead) > 0; timeout += time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		dropped, err := dead.DropAll(ctx)
		cancel()
		require.LessOrEqual(t, dropped, pushed)
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
}

func TestDeadLettersUseAQueueThatIsDeclaredOtherwise(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	queue := cnf.DefaultQueue + ".dead"
	_, err := dial(t, cnf.Broker).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": 5})
	require.NoError(t, err)
	dead := newDeadLetters(t, cnf)
	require.NoError(t, dead.Push(t.Context(), task("add", "a"), errors.New("x")))
	require.Equal(t, "a", list(t, dead)[0].UUID)

	broker := newBroker(t, cnf, amqpadapter.WithMaxAttempts(1), amqpadapter.RejectToDeadLetters())
	work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return errors.New("no state") }})
	publish(t, broker, task("add", "b"))
	eventually(t, func() bool { return count(t, dead) == 2 })
}

func TestDeadLettersFindTheirRabbitMQInAConfiguration(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	several := *cnf
	several.Broker, several.MultipleBrokerSeparator = "amqp://localhost:1/,"+cnf.Broker, ","
	dead, err := amqpadapter.NewDeadLettersOf(t.Context(), &several, cnf.DefaultQueue+".dead")
	require.NoError(t, err)
	defer dead.Close()
	require.NoError(t, dead.Push(t.Context(), task("add", "a"), fmt.Errorf("long %01500d", 0)))
	require.Len(t, list(t, dead)[0].Reason, 1024)
}

func TestHeadersThatAMQPCannotCarryStayInTheBodyOfALetter(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	for _, headers := range []tasks.Headers{
		{strings.Repeat("n", 256): "x"},
		{"large": strings.Repeat("x", 200_000)},
	} {
		pushed := task("add", "a", tasks.Arg{Type: "int64", Value: 1})
		pushed.Headers = headers
		require.NoError(t, dead.Push(t.Context(), pushed, errors.New("why")))
		letter := list(t, dead)[0]
		require.Equal(t, "why", letter.Reason)
		require.Equal(t, headers, letter.Task.Headers)
		for name := range headers {
			require.NotContains(t, letter.Attributes, name)
		}
		require.NoError(t, dead.Drop(t.Context(), letter.ID))
	}
}

func TestReplayAsksVerify(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	forged := errors.New("forged")
	verify := func(s *tasks.Signature) error {
		if s.UUID == "bad" {
			return forged
		}
		return nil
	}
	dead, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, cnf.DefaultQueue+".dead", amqpadapter.WithVerify(verify))
	require.NoError(t, err)
	defer dead.Close()
	for _, uuid := range []string{"bad", "good"} {
		pushed := task("add", uuid)
		pushed.RoutingKey = cnf.AMQP.BindingKey
		require.NoError(t, dead.Push(t.Context(), pushed, errors.New("x")))
	}
	n, err := dead.ReplayAll(t.Context())
	require.Equal(t, 1, n)
	require.ErrorIs(t, err, deadletter.ErrRefused)
	require.ErrorIs(t, err, forged)
	require.Equal(t, "bad", list(t, dead)[0].UUID)

	_, err = amqpadapter.NewDeadLettersOf(t.Context(), cnf, "x", amqpadapter.WithVerify(nil))
	require.ErrorIs(t, err, amqpadapter.ErrConfig)
	require.ErrorContains(t, err, "WithVerify(nil)")
}

func TestReplayKeepsAnETAThatIsStillToCome(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	broker := newBroker(t, cnf, amqpadapter.WithDeadLetters(dead))
	later := delayed("later", time.Hour)
	later.RoutingKey = cnf.AMQP.BindingKey
	require.NoError(t, dead.Push(t.Context(), later, errors.New("x")))
	require.NoError(t, dead.Replay(t.Context(), list(t, dead)[0].ID))
	pending, err := broker.GetPendingTasks("")
	require.NoError(t, err)
	require.True(t, later.ETA.Equal(*pending[0].ETA))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "now"))
	seen.Await(t, "now")
}

func TestDeadLettersWhoseQueueIsNotThereAreEmpty(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	dead := newBroker(t, cnf).(amqpadapter.Broker).DeadLetters().(*amqpadapter.DeadLetters)
	require.Zero(t, count(t, dead))
	require.Empty(t, list(t, dead))
	n, err := dead.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.ErrorIs(t, dead.Drop(t.Context(), "x"), deadletter.ErrNotFound)
	require.NoError(t, dead.Push(t.Context(), task("add", "a"), errors.New("why")))
	require.Equal(t, "a", list(t, dead)[0].UUID)
}

func TestLetterThatIsLongerThanAMessageMayBeIsNotReadAsATask(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, amqpadapter.WithMaxMessage(1000))
	letters := broker.(amqpadapter.Broker).DeadLetters().(*amqpadapter.DeadLetters)
	long := task("add", "a", tasks.Arg{Type: "string", Value: strings.Repeat("x", 1000)})
	require.NoError(t, letters.Push(t.Context(), long, errors.New("any")))
	letter := list(t, letters)[0]
	require.Nil(t, letter.Task)
	err := letters.Replay(t.Context(), letter.ID)
	require.ErrorIs(t, err, deadletter.ErrNoTask)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.Equal(t, 1, count(t, letters))
}
