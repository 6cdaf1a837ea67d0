package security_test

import (
	"sync/atomic"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// succeeded is how an attacker would have a task end.
func succeeded(taskUUID string) *tasks.TaskState {
	order := `{"$envelope":1,"type":"shop.Order","data":{"ID":"forged","Card":""}}`
	return &tasks.TaskState{TaskUUID: taskUUID, State: tasks.StateSuccess, Results: []*tasks.TaskResult{{Type: "string", Value: order}}}
}

// SECURITY.md: makes up a result, or a failure with an error of a registered type, that `Await` returns
func TestAForgedResultNeverReachesAwait(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		producer := s.join(t, registry(t), newMACKeys(t).signing(t))
		for _, state := range []*tasks.TaskState{
			succeeded("task_" + uuid.NewString()),
			{TaskUUID: "task_" + uuid.NewString(), State: tasks.StateSuccess},
			{TaskUUID: "task_" + uuid.NewString(), State: tasks.StateFailure, Error: "no\n" + `{"$envelope":1,"type":"shop.Order","data":{}}`},
		} {
			s.forge(t, state)
			res := result.NewAsyncResult(&tasks.Signature{UUID: state.TaskUUID}, producer.server.GetBackend())
			o, err := await[Order](t, producer, res)
			assert.Zero(t, o)
			assert.ErrorIs(t, err, middleware.ErrUnsigned)
			assert.NotContains(t, err.Error(), "no\n")
		}
	})
}

// SECURITY.md: makes up a result that a chord's callback gets, in a task that an honest worker signs
// SECURITY.md: sets a task back to PENDING, triggers a chord early or never
//
// On Redis the attacker writes the result of a member while the other one runs, which then gathers it: early, as that
// member never runs.
func TestAForgedResultNeverReachesACallback(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		producer, worker := s.join(t, registry(t), mac), s.join(t, registry(t), mac)
		running, forged := make(chan struct{}), make(chan struct{})
		var called atomic.Int64
		require.NoError(t, worker.RegisterTask("member", func(o Order) (Order, error) {
			if o.ID == "waits" {
				close(running)
				<-forged
			}
			return o, nil
		}))
		require.NoError(t, worker.RegisterTask("callback", func(...Order) error { called.Add(1); return nil }))
		waiting, err := producer.Signature(t.Context(), "member", Order{ID: "waits"})
		require.NoError(t, err)
		other, err := producer.Signature(t.Context(), "member", Order{ID: "other"})
		require.NoError(t, err)
		other.RoutingKey = "nowhere" // it never runs
		if s.cnf.AMQP != nil {
			other.RoutingKey = s.cnf.AMQP.DelayedQueue
		}
		group, err := tasks.NewGroup(waiting, other)
		require.NoError(t, err)
		chord, err := tasks.NewChord(group, &tasks.Signature{Name: "callback"})
		require.NoError(t, err)
		worker.launch(t)
		res, err := producer.SendChord(t.Context(), chord, 1)
		require.NoError(t, err)

		<-running
		state := succeeded(other.UUID)
		s.forge(t, state)
		if s.cnf.AMQP != nil {
			// RabbitMQ's backend has a queue of its own for the results of a group.
			state.TaskUUID = group.GroupUUID
			s.forge(t, state)
		}
		close(forged)
		letters, reasons := worker.dead.await(t, 1)
		assert.Equal(t, chord.Callback.UUID, letters[0].UUID)
		assert.ErrorIs(t, reasons[0], middleware.ErrUnsigned)
		_, err = await[struct{}](t, producer, res)
		require.Error(t, err)
		assert.Zero(t, called.Load())
	})
}

// SECURITY.md: moves the result of another task, position or chord there, or doubles a member's
//
// A genuine result is put in the place of another's.
func TestAResultCannotBeMoved(t *testing.T) {
	readOnce := map[string]string{"rabbitmq": "a result is read once: nobody reads it to move it"}
	everywhereBut(t, readOnce, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		producer, worker := s.join(t, registry(t), mac), s.join(t, registry(t), mac)
		require.NoError(t, worker.RegisterTask("echo", func(o Order) (Order, error) { return o, nil }))
		worker.launch(t)
		res := producer.send(t, "echo", Order{ID: "o-1"})
		_, err := await[Order](t, producer, res)
		require.NoError(t, err)
		backend := producer.server.GetBackend().(interface{ Unwrap() backendsiface.Backend }).Unwrap()
		state, err := backend.GetState(res.(*result.AsyncResult).Signature.UUID)
		require.NoError(t, err)
		state.TaskUUID = "task_" + uuid.NewString()
		s.forge(t, state)
		_, err = await[Order](t, producer, result.NewAsyncResult(&tasks.Signature{UUID: state.TaskUUID}, producer.server.GetBackend()))
		assert.ErrorIs(t, err, middleware.ErrForged)
	})
}
