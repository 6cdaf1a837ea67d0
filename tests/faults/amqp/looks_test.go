package amqp_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

func TestLookingLosesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{amqp.QueueTypeClassic, amqp.QueueTypeQuorum} {
		for limit, looks := range map[string]int{"of the server": 40, "5": 1000} { // that of RabbitMQ 4 is 20
			t.Run(kind+" queue, delivery limit "+limit, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, rabbitMQ(t))
				if limit == "5" {
					s.policy(t, "^"+s.queue, `{"delivery-limit":5}`)
				}
				for _, queue := range []string{s.queue, s.queue + ".dead"} {
					_, err := s.channel.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": kind})
					require.NoError(t, err)
				}
				s.looksAtTasks(t, kind, looks)
				s.looksAtLetters(t, looks)
			})
		}
	}
}

func (s *site) looksAtTasks(t *testing.T, kind string, looks int) {
	t.Helper()
	const many = 10
	for i := range many {
		_, err := s.channel.PublishWithDeferredConfirm("", s.queue, true, false, amqp.Publishing{
			Body: fmt.Appendf(nil, `{"Name":"record","UUID":"%d"}`, i),
		})
		require.NoError(t, err)
	}
	require.True(t, waitFor(func() bool { return s.messages(t, s.queue) == many }))
	for range looks {
		pending, err := s.server.GetBroker().GetPendingTasks(s.queue)
		if kind == amqp.QueueTypeQuorum {
			require.ErrorIs(t, err, amqpadapter.ErrNotListable)
			continue
		}
		require.NoError(t, err)
		require.Len(t, pending, many)
	}
	require.Equal(t, many, s.messages(t, s.queue))
}

func (s *site) looksAtLetters(t *testing.T, looks int) {
	t.Helper()
	const many = 5
	letters, err := amqpadapter.NewDeadLettersOf(t.Context(), configOf(s.node.url, s.queue), s.queue+".dead")
	require.NoError(t, err)
	defer letters.Close()
	for i := range many {
		task := &tasks.Signature{Name: "record", UUID: fmt.Sprint(i), RoutingKey: s.queue + "-key"}
		require.NoError(t, letters.Push(t.Context(), task, errors.New("a fault")))
	}
	var ids []string
	for range looks {
		ids = nil
		for letter, err := range letters.All(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(len(ids)), letter.UUID)
			ids = append(ids, letter.ID)
		}
		require.Len(t, ids, many)
	}
	_, err = letters.Get(t.Context(), ids[4])
	require.NoError(t, err)
	require.NoError(t, letters.Drop(t.Context(), ids[2]))
	require.NoError(t, letters.Replay(t.Context(), ids[3]))
	n, err := letters.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, many-2, n)
}
