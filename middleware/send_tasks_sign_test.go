package middleware_test

import (
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestEachOfManyTasksIsSignedAndInEnvelopes(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker, signed, middleware.EnvelopeAll())
	sent := ordersOf("price", "price")
	for i, s := range sent {
		s.Args = append(s.Args, tasks.Arg{Type: "int64", Value: int64(i)})
	}
	_, err := m.SendTasks(t.Context(), sent...)
	require.NoError(t, err)
	require.Equal(t, 1, broker.batches)

	queue := eager.New()
	server, worker := install(t, queue, signed, middleware.EnvelopeAll())
	var quantities []int64
	require.NoError(t, worker.RegisterTask("price", func(_ order, quantity int64) error {
		quantities = append(quantities, quantity)
		return nil
	}))
	server.GetBroker().(eager.Mode).AssignWorker(worker.NewWorker("worker", 1))
	for _, s := range broker.published {
		for _, arg := range s.Args {
			require.True(t, envelope.Is(arg.Value.(string)))
		}
		require.NoError(t, queue.Publish(t.Context(), received(t, s)))
	}
	require.Equal(t, []int64{0, 1}, quantities)
	changed := received(t, broker.published[0])
	changed.Args = received(t, broker.published[1]).Args
	_ = queue.Publish(t.Context(), changed)
	require.Len(t, quantities, 2, "the signature is that of the task with its arguments")
}

// What cannot be signed is refused before anything is sent.
func TestNothingIsSentWhereOneTaskCannotBeSigned(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker, middleware.SignTasks(brokenMAC{}))
	results, err := m.SendTasks(t.Context(), ordersOf("a", "b")...)
	require.Nil(t, results)
	var failure *middleware.SendError
	require.ErrorAs(t, err, &failure)
	require.Zero(t, failure.Sent)
	require.Empty(t, broker.published)
}
