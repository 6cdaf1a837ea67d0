package amqpadapter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// quorumLetters are as many dead letters, a, b and so on, in a quorum queue that has further arguments.
func quorumLetters(
	t *testing.T, cnf *config.Config, many int, arguments amqp.Table, opts ...amqpadapter.DeadLettersOption,
) *amqpadapter.DeadLetters {
	t.Helper()
	queue := cnf.DefaultQueue + ".dead"
	_, err := dial(t, cnf.Broker).QueueDeclare(queue, true, false, false, false, arguments)
	require.NoError(t, err)
	dead, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, queue, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dead.Close()) })
	for i := range many {
		pushed := task("add", string(rune('a'+i)))
		pushed.RoutingKey = cnf.AMQP.BindingKey
		require.NoError(t, dead.Push(t.Context(), pushed, errors.New("x")))
	}
	return dead
}

func uuidsOf(letters []amqpadapter.DeadLetter) []string {
	var uuids []string
	for _, letter := range letters {
		uuids = append(uuids, letter.UUID)
	}
	return uuids
}

// A quorum queue drops what was delivered and returned too often.
func TestLooksThatAreCutShortLoseNoLetter(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQAt(t, services.QuorumAMQP(t))
	interrupt := func() {}
	refuse := func(*tasks.Signature) error { interrupt(); return errors.New("refused") }
	dead := quorumLetters(t, cnf, 20, amqp.Table{"x-delivery-limit": 2}, amqpadapter.WithVerify(refuse))
	want := uuidsOf(list(t, dead))
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*2*time.Millisecond)
		for _, err := range dead.All(ctx) {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		cancel()

		ctx, cancel = context.WithCancel(t.Context())
		interrupt = cancel
		_, err := dead.ReplayAll(ctx)
		require.ErrorIs(t, err, deadletter.ErrRefused)
		cancel()
	}
	eventually(t, func() bool { return count(t, dead) == len(want) })
	require.ElementsMatch(t, want, uuidsOf(list(t, dead)))
}

func TestReplayAllSendsNothingMoreWhenTheLettersAreBackWithRabbitMQ(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQAt(t, services.QuorumAMQP(t))
	network := proxy(t, cnf)
	const many = 8
	cut := func(s *tasks.Signature) error {
		if s.UUID == "c" {
			network.Cut()
		}
		return nil
	}
	dead := quorumLetters(t, network.cnf, many, nil, amqpadapter.WithVerify(cut))
	broker := newBroker(t, cnf)
	publish(t, broker, task("add", "makes the queue"))
	_, err := dead.ReplayAll(t.Context())
	require.Error(t, err)
	eventually(t, func() bool { return count(t, dead) >= many-2 })
	require.LessOrEqual(t, count(t, dead), many, "letters were put back twice")
	require.LessOrEqual(t, waiting(t, cnf, cnf.DefaultQueue), 1+3, "the first three were sent")
}

func TestLettersKeepTheirOrderWhicheverAreLarge(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQAt(t, services.QuorumAMQP(t))
	dead := quorumLetters(t, cnf, 0, nil)
	for _, uuid := range []string{"a", "LARGE 1", "b", "c", "LARGE 2", "LARGE 3", "d"} {
		pushed := task("add", uuid)
		if len(uuid) > 1 {
			pushed.Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 2<<20)}}
		}
		require.NoError(t, dead.Push(t.Context(), pushed, errors.New("x")))
	}
	want := uuidsOf(list(t, dead))
	for range 3 {
		require.Equal(t, want, uuidsOf(list(t, dead)))
	}
}

func TestLetterIsNotFoundWhereItsQueueWasDeleted(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQAt(t, services.QuorumAMQP(t))
	dead := quorumLetters(t, cnf, 1, nil)
	letters := list(t, dead)
	channel := dial(t, cnf.Broker)
	_, err := channel.QueueDelete(cnf.DefaultQueue+".dead", false, false, false)
	require.NoError(t, err)
	for range 2 {
		_, err = dead.Get(t.Context(), letters[0].ID)
		require.ErrorIs(t, err, deadletter.ErrNotFound)
		require.Empty(t, list(t, dead))
	}

	classic := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
	_, err = channel.QueueDeclare(cnf.DefaultQueue+".dead", true, false, false, false, classic)
	require.NoError(t, err)
	require.NoError(t, dead.Push(t.Context(), task("add", "b"), errors.New("x")))
	require.Len(t, list(t, dead), 1)
	letter, found, err := channel.Get(cnf.DefaultQueue+".dead", true)
	require.NoError(t, err)
	require.True(t, found)
	require.True(t, letter.Redelivered, "a letter in a classic queue is put back, and not published anew")
}
