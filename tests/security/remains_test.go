package security_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// These are attacks that succeed, as far as SECURITY.md says so.

// recorded is a genuine message as somebody reads it in the queue.
func recorded(t *testing.T, p *party, change func(*tasks.Signature), args ...any) []byte {
	genuine, err := p.Signature(t.Context(), "pay", args...)
	require.NoError(t, err)
	genuine.UUID = "task_" + uuid.NewString()
	change(genuine)
	p.PrePublish(genuine)
	return marshal(t, genuine)
}

func unchanged(*tasks.Signature) {}

// SECURITY.md: runs a task again that was sent once
func TestATaskThatWasSentOnceRunsAgainUntilItIsTooOld(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		keys := newMACKeys(t)
		worker := s.join(t, registry(t), keys.signing(t))
		var ran atomic.Int64
		require.NoError(t, worker.RegisterTask("pay", func(Order) error { ran.Add(1); return nil }))
		worker.launch(t)
		message := recorded(t, worker, unchanged, Order{ID: "o-1"})
		s.push(t, message)
		s.push(t, message)
		require.Eventually(t, func() bool { return ran.Load() == 2 }, timeout, 5*time.Millisecond)

		s = s.another()
		strict := s.join(t, registry(t), keys.signing(t, middleware.WithMaxAge(1)))
		require.NoError(t, strict.RegisterTask("pay", func(Order) error { ran.Add(1); return nil }))
		strict.work(t)
		strict.send(t, "pay", Order{ID: "o-2"}) // declares the queue, and is too old at once
		s.push(t, recorded(t, worker, func(s *tasks.Signature) { s.RoutingKey = "elsewhere" }, Order{ID: "o-1"}))
		_, reasons := strict.dead.await(t, 2)
		assert.ErrorIs(t, reasons[0], middleware.ErrExpired)
		assert.ErrorIs(t, reasons[1], middleware.ErrExpired)
		assert.EqualValues(t, 2, ran.Load())
	})
}

// SECURITY.md: runs a delayed task early or late, puts a task in another queue whose workers have it
func TestADelayedTaskRunsEarlyInAnotherQueue(t *testing.T) {
	delays := map[string]string{"rabbitmq": "a worker of package amqpadapter delays what comes early"}
	everywhereBut(t, delays, func(t *testing.T, s *site) {
		worker := s.join(t, registry(t), newMACKeys(t).signing(t))
		paid := make(chan string, 1)
		require.NoError(t, worker.RegisterTask("pay", func(o Order) error { paid <- o.ID; return nil }))
		worker.launch(t)
		eta := time.Now().Add(time.Hour)
		s.push(t, recorded(t, worker, func(s *tasks.Signature) { s.ETA, s.RoutingKey = &eta, "elsewhere" }, Order{ID: "o-1"}))
		assert.Equal(t, "o-1", receive(t, paid))
	})
}

// SECURITY.md: removes tasks, or fills the queue
func TestAQueueThatIsFilledIsEmptiedAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		worker := s.join(t, registry(t), newMACKeys(t).signing(t))
		paid := make(chan string, 1)
		require.NoError(t, worker.RegisterTask("pay", func(o Order) error { paid <- o.ID; return nil }))
		const many = 50
		worker.launch(t)
		for range many {
			s.push(t, marshal(t, newTask("pay", "forged")))
		}
		worker.send(t, "pay", Order{ID: "o-1"})
		assert.Equal(t, "o-1", receive(t, paid))
		worker.dead.await(t, many)
	})
}

// SECURITY.md: keeps a result back, or puts a former one of the same task and UUID there
// SECURITY.md: sets a task back to PENDING, triggers a chord early or never
func TestAFormerStateIsBelievedAndAPendingOneIsWaitedFor(t *testing.T) {
	readOnce := map[string]string{"rabbitmq": "a result is read once: nobody reads it to put it there again"}
	everywhereBut(t, readOnce, func(t *testing.T, s *site) {
		worker := s.join(t, registry(t), newMACKeys(t).signing(t))
		require.NoError(t, worker.RegisterTask("echo", func(o Order) (Order, error) { return o, nil }))
		worker.launch(t)
		sent := worker.send(t, "echo", Order{ID: "o-1"}).(*result.AsyncResult)
		_, err := await[Order](t, worker, sent)
		require.NoError(t, err)
		again := func() middleware.Result { return result.NewAsyncResult(sent.Signature, worker.server.GetBackend()) }
		backend := worker.server.GetBackend().(interface{ Unwrap() backendsiface.Backend }).Unwrap()
		former, err := backend.GetState(sent.Signature.UUID)
		require.NoError(t, err)

		s.forge(t, tasks.NewPendingTaskState(sent.Signature))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = middleware.Await[Order](ctx, worker.Middleware, again())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		s.forge(t, former)
		o, err := await[Order](t, worker, again())
		require.NoError(t, err)
		assert.Equal(t, "o-1", o.ID)
	})
}
