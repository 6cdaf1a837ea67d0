package amqpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
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
	ended := work(t, broker, 1, &processor{process: func(*tasks.Signature) error { return errors.New("no state") }})
	publish(t, broker, signatures...)
	eventually(t, func() bool { return count(t, dead) == len(signatures) })
	broker.StopConsuming()
	eventually(t, closed(ended))
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
	letters, err := dead.List(t.Context(), 0)
	require.NoError(t, err)
	return letters
}

func TestDeadLettersKeepTheMessageAndTheReason(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	sent := task("add", "a", tasks.Arg{Type: "int64", Value: 7})
	sent.Headers = tasks.Headers{"tenant": "acme"}
	began := time.Now().Add(-2 * time.Second) // AMQP keeps whole seconds
	stopped(t, cnf, dead, sent)
	for range 2 { // looking takes nothing away
		letters := list(t, dead)
		require.Len(t, letters, 1)
		letter := letters[0]
		require.Equal(t, "a", letter.Task.UUID)
		require.Equal(t, "acme", letter.Headers["tenant"])
		require.Equal(t, "int64", letter.Headers[amqpadapter.TypesHeader])
		require.Contains(t, letter.Reason, amqpadapter.ErrTooManyAttempts.Error())
		require.Contains(t, letter.Reason, "no state")
		require.Equal(t, cnf.DefaultQueue, letter.Queue)
		require.WithinRange(t, letter.Time, began, time.Now())
	}
}

func TestReplayedTaskRunsAsItWasSent(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	sent := task("add", "a", tasks.Arg{Type: "string", Value: "<kept>"})
	sent.Headers = tasks.Headers{middleware.AttemptsHeader: "10", middleware.UnknownHeader: "3", "tenant": "acme"}
	sent.RoutingKey = customQueueOf(cnf)
	custom := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(1), amqpadapter.WithDeadLetters(dead))
	work(t, custom, 1, &processor{queue: customQueueOf(cnf), process: func(*tasks.Signature) error { return errors.New("no state") }})
	publish(t, custom, sent)
	eventually(t, func() bool { return count(t, dead) == 1 })
	custom.StopConsuming()

	require.NoError(t, dead.Replay(t.Context(), list(t, dead)[0].ID))
	require.Zero(t, count(t, dead))
	var seen journal
	worker := newBroker(t, cnf, amqpadapter.WithMaxAttempts(1), amqpadapter.WithDeadLetters(dead))
	work(t, worker, 1, &processor{queue: customQueueOf(cnf), process: seen.add})
	seen.awaits(t, "a")
	got := seen.signatures()[0]
	require.Equal(t, tasks.Headers{"tenant": "acme"}, got.Headers)
	require.Equal(t, "<kept>", got.Args[0].Value)
	require.Equal(t, customQueueOf(cnf), got.RoutingKey)
	require.Zero(t, count(t, dead))
}

func TestReplayAllAndDropTakeWhatIsThere(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	stopped(t, cnf, dead, task("add", "a"), task("add", "b"), task("add", "c"), task("add", "d"))
	letters := list(t, dead)
	require.NoError(t, dead.Drop(t.Context(), letters[1].ID))
	require.ErrorIs(t, dead.Drop(t.Context(), letters[1].ID), amqpadapter.ErrNoDeadLetter)
	require.ErrorIs(t, dead.Replay(t.Context(), letters[1].ID), amqpadapter.ErrNoDeadLetter)
	n, err := dead.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Zero(t, count(t, dead))
	require.Equal(t, 3, waiting(t, cnf, cnf.DefaultQueue))

	require.NoError(t, dead.Push(t.Context(), task("add", "e"), errors.New("x")))
	require.NoError(t, dead.Push(t.Context(), task("add", "f"), errors.New("x")))
	limited, err := dead.List(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "e", limited[0].Task.UUID)
	require.Len(t, limited, 1)
	n, err = dead.DropAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Zero(t, count(t, dead))
}

func TestReplayKeepsWhatNoQueueTakes(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	stopped(t, cnf, dead, task("add", "a"))
	_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue, false, false, false)
	require.NoError(t, err)
	require.ErrorIs(t, dead.Replay(t.Context(), list(t, dead)[0].ID), amqpadapter.ErrUnroutable)
	n, err := dead.ReplayAll(t.Context())
	require.ErrorIs(t, err, amqpadapter.ErrUnroutable)
	require.Zero(t, n)
	require.Equal(t, 1, count(t, dead))
}

// The middleware pushes tasks without a word about the queue that they came from.
func TestTasksPushedByTheMiddlewareAreReplayedThroughTheExchange(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	pushed := task("add", "a")
	pushed.RoutingKey = cnf.AMQP.BindingKey
	require.NoError(t, dead.Push(t.Context(), pushed, errors.New("shop.Novelty is not registered")))
	letter := list(t, dead)[0]
	require.Equal(t, "shop.Novelty is not registered", letter.Reason)
	require.ErrorIs(t, dead.Replay(t.Context(), letter.ID), amqpadapter.ErrUnroutable, "the key is no queue")

	worker := newBroker(t, cnf, amqpadapter.WithDeadLetters(dead))
	_, err := dead.DropAll(t.Context())
	require.NoError(t, err)
	require.NoError(t, dead.Push(t.Context(), pushed, errors.New("x")))
	n, err := dead.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	var seen journal
	work(t, worker, 1, &processor{process: seen.add})
	seen.awaits(t, "a")
}

func TestRejectedMessagesGoToTheDeadLettersByRabbitMQItself(t *testing.T) {
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
	require.Equal(t, cnf.AMQP.BindingKey, letter.RoutingKey)
	require.Equal(t, cnf.AMQP.Exchange, list(t, dead)[0].Headers["machinery-delay-exchange"])

	require.NoError(t, dead.Replay(t.Context(), letter.ID))
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	seen.awaits(t, "a")
}

func TestDeadLettersHeedTheContextAndSayWhenTheyAreClosed(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, dead.Push(ctx, task("add", "a"), errors.New("x")), context.Canceled)
	_, err := dead.List(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = amqpadapter.NewDeadLetters(ctx, cnf.Broker, "x")
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, dead.Close())
	require.NoError(t, dead.Close())
	_, err = dead.Count(t.Context())
	require.ErrorIs(t, err, amqpadapter.ErrClosed)
}

// What is dropped is still counted when nobody waits for it any more: the race detector watches.
func TestDropAllMayBeInterrupted(t *testing.T) {
	cnf := rabbitMQ(t)
	dead := newDeadLetters(t, cnf)
	const pushed = 100
	for range pushed {
		require.NoError(t, dead.Push(t.Context(), task("add", "a"), errors.New("no state")))
	}
	for patience := time.Millisecond; count(t, dead) > 0; patience += time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		dropped, err := dead.DropAll(ctx)
		cancel()
		require.LessOrEqual(t, dropped, pushed)
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
}

func TestDeadLettersReportAQueueOfAnotherForm(t *testing.T) {
	cnf := rabbitMQ(t)
	queue := cnf.DefaultQueue + ".dead"
	_, err := dial(t, cnf.Broker).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": 5})
	require.NoError(t, err)
	_, err = amqpadapter.NewDeadLetters(t.Context(), cnf.Broker, queue)
	require.ErrorContains(t, err, queue)
	require.ErrorContains(t, err, "x-max-length")
}

func TestDeadLettersFindTheirRabbitMQInAConfiguration(t *testing.T) {
	cnf := rabbitMQ(t)
	several := *cnf
	several.Broker, several.MultipleBrokerSeparator = "amqp://localhost:1/,"+cnf.Broker, ","
	dead, err := amqpadapter.NewDeadLettersOf(t.Context(), &several, cnf.DefaultQueue+".dead")
	require.NoError(t, err)
	defer dead.Close()
	require.NoError(t, dead.Push(t.Context(), task("add", "a"), fmt.Errorf("long %01500d", 0)))
	require.Len(t, list(t, dead)[0].Reason, 1024)
}
