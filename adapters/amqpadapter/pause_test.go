package amqpadapter_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A pause is no attempt, for tasks that were handed out and did not run, however often it comes.
func TestPausesLoseNothingAndCountAsNoAttempt(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"classic": services.AMQP, "quorum": services.QuorumAMQP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cnf := rabbitMQAt(t, address(t))
			cnf.AMQP.PrefetchCount = 5
			broker, source := newBroker(t, cnf, amqpadapter.WithMaxAttempts(1)), newSource(t, cnf)
			var want []string
			for i := range 20 {
				want = append(want, fmt.Sprint("task-", i))
				publish(t, broker, task("add", want[i]))
			}
			latch := adaptertest.NewLatch(t)
			adaptertest.Work(t, broker, 1, &processor{Func: latch.Hold})
			eventually(t, func() bool { return latch.Len() == 1 })
			for range 3 {
				require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
				eventually(t, func() bool { // those that were handed out are back
					q := queueIn(t, source, cnf.DefaultQueue)
					return q.Paused && q.Waiting == 19
				})
				require.NoError(t, source.Resume(t.Context(), cnf.DefaultQueue))
				eventually(t, func() bool { return queueIn(t, source, cnf.DefaultQueue).Workers == 1 })
			}
			latch.Release()
			eventually(t, func() bool { return latch.Len() == len(want) })
			assert.ElementsMatch(t, want, latch.UUIDs())
			assert.Zero(t, queueIn(t, source, cnf.DefaultQueue).Dead)
		})
	}
}

// RabbitMQ may still deliver what was under way when it took the end of the deliveries.
func TestPauseOfABusyQueueHoldsNothing(t *testing.T) {
	const many = 5_000
	for name, address := range map[string]func(testing.TB) string{"classic": services.AMQP, "quorum": services.QuorumAMQP} {
		t.Run(name, func(t *testing.T) {
			cnf := rabbitMQAt(t, address(t))
			cnf.AMQP.PrefetchCount = 100
			broker, source := newBroker(t, cnf), newSource(t, cnf)
			batch := make([]*tasks.Signature, many)
			for i := range batch {
				batch[i] = task("add", fmt.Sprint("task-", i))
			}
			require.NoError(t, errors.Join(broker.(amqpadapter.Broker).PublishMany(t.Context(), batch)...))
			var done atomic.Int64
			work(t, broker, 4, &processor{Func: func(*tasks.Signature) error { done.Add(1); return nil }})
			eventually(t, func() bool { return done.Load() > 0 })
			for range 3 {
				require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
				eventually(t, func() bool {
					q := queueIn(t, source, cnf.DefaultQueue)
					return q.Paused && q.Waiting == many-int(done.Load())
				})
				before := done.Load()
				require.NoError(t, source.Resume(t.Context(), cnf.DefaultQueue))
				eventually(t, func() bool { return done.Load() > before || before == many })
			}
			eventually(t, func() bool { return done.Load() == many })
		})
	}
}

func TestPausedWorkerStops(t *testing.T) {
	cnf := rabbitMQ(t)
	broker, source := newBroker(t, cnf), newSource(t, cnf)
	require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
	ended := adaptertest.Work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return nil }})
	publish(t, broker, task("add", "a"))
	eventually(t, func() bool { return queueIn(t, source, cnf.DefaultQueue).Waiting == 1 })
	broker.StopConsuming()
	adaptertest.Await(t, ended)
	assert.Equal(t, 1, waiting(t, cnf, cnf.DefaultQueue))
}

// Where somebody deletes the queue that says so, the work queue is not paused.
func TestPauseQueueThatIsDeletedIsMadeAgain(t *testing.T) {
	cnf := rabbitMQ(t)
	broker, source := newBroker(t, cnf), newSource(t, cnf)
	require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue+".pause", false, false, false)
	require.NoError(t, err)
	seen.Await(t, "a")
	require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
	publish(t, broker, task("add", "b"))
	require.NoError(t, source.Resume(t.Context(), cnf.DefaultQueue))
	seen.Await(t, "a", "b")
}
