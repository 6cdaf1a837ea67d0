package security_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// SECURITY.md: runs a task that nobody sent
//
// A forged task is put straight into the queue, for a wrapped task and a plain one, with and without callbacks.
func TestAForgedTaskNeverRuns(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		producer, worker := s.join(t, registry(t), mac), s.join(t, registry(t), mac)
		var forgeries, genuine atomic.Int64
		run := func(o string) error {
			if o == "genuine" {
				genuine.Add(1)
			} else {
				forgeries.Add(1)
			}
			return nil
		}
		require.NoError(t, worker.RegisterTask("wrapped", func(o Order) error { return run(o.ID) }))
		require.NoError(t, worker.server.RegisterTask("plain", run))
		worker.launch(t)

		forged := []*tasks.Signature{
			newTask("plain", "forged"),
			newTask("wrapped", `{"$envelope":1,"type":"shop.Order","data":{"ID":"forged","Card":""}}`),
		}
		for _, f := range forged {
			f.RetryCount = 3
			f.OnSuccess, f.OnError = []*tasks.Signature{newTask("plain", "forged")}, []*tasks.Signature{newTask("plain")}
			s.push(t, marshal(t, f))
		}
		// One that is signed by somebody who does not have the key.
		stranger := s.join(t, registry(t), newMACKeys(t).signing(t))
		f := newTask("plain", "forged")
		_, err := stranger.SendTask(t.Context(), f)
		require.NoError(t, err)
		forged = append(forged, f)

		letters, reasons := worker.dead.await(t, len(forged))
		for i, letter := range letters {
			want := middleware.ErrUnsigned
			if letter.UUID == f.UUID {
				want = middleware.ErrForged
			}
			assert.ErrorIs(t, reasons[i], want)
			require.NotEmpty(t, letter.Args, "it is kept as it came")
		}
		for _, f := range forged {
			_, err := await[struct{}](t, producer, result.NewAsyncResult(f, producer.server.GetBackend()))
			var failed *middleware.TaskError
			require.ErrorAs(t, err, &failed)
			assert.Contains(t, failed.Text, f.Name)
		}
		_, err = await[struct{}](t, producer, producer.send(t, "wrapped", Order{ID: "genuine"}))
		require.NoError(t, err)
		_, err = await[struct{}](t, producer, producer.send(t, "plain", "genuine"))
		require.NoError(t, err)
		assert.EqualValues(t, 2, genuine.Load(), "the worker goes on")
		assert.Zero(t, forgeries.Load())
		_, reasons = worker.dead.all()
		assert.Len(t, reasons, len(forged))
	})
}

func newTask(name string, args ...string) *tasks.Signature {
	s := &tasks.Signature{UUID: "task_" + uuid.NewString(), Name: name}
	for _, text := range args {
		s.Args = append(s.Args, tasks.Arg{Type: "string", Value: text})
	}
	return s
}

// SECURITY.md: changes, adds, removes, swaps arguments, callbacks, headers, anything else of a task
//
// Someone who can read the queue, too, changes one thing of a genuine task.
func TestATaskThatWasChangedInTheQueueNeverRuns(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		recording := s.join(t, registry(t), mac)
		genuine, err := recording.Signature(t.Context(), "pay", Order{ID: "o-1"}, 5)
		require.NoError(t, err)
		genuine.UUID = "task_" + uuid.NewString()
		recording.PrePublish(genuine) // what would be published
		message := marshal(t, genuine)

		worker := s.join(t, registry(t), mac)
		var ran atomic.Int64
		require.NoError(t, worker.RegisterTask("pay", func(Order, int64) error { ran.Add(1); return nil }))
		require.NoError(t, worker.RegisterTask("refund", func(Order, int64) error { ran.Add(1); return nil }))
		worker.launch(t)
		changes := []map[string]any{
			{"Name": "refund"}, {"UUID": "task_other"}, {"RoutingKey": "elsewhere"}, {"RetryCount": 9},
			{"OnSuccess": []any{genuine}}, {"Headers": map[string]any{}}, {"GroupUUID": "g", "GroupTaskCount": 1},
			{"Args": []any{genuine.Args[1], genuine.Args[0]}}, {"Args": genuine.Args[:1]},
		}
		for _, change := range changes {
			changed := make(map[string]any)
			require.NoError(t, json.Unmarshal(message, &changed))
			for field, value := range change {
				changed[field] = value
			}
			s.push(t, marshal(t, changed))
		}
		worker.dead.await(t, len(changes))
		assert.Zero(t, ran.Load())
		s.push(t, message)
		require.Eventually(t, func() bool { return ran.Load() == 1 }, timeout, 5e6, "what was not changed runs")
	})
}

// Messages that are no tasks, or hardly, hurt nobody.
func TestHostileMessagesDoNotStopAWorker(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		producer, worker := s.join(t, registry(t), mac), s.join(t, registry(t), mac)
		require.NoError(t, worker.RegisterTask("echo", func(o Order) (Order, error) { return o, nil }))
		worker.launch(t)
		for _, message := range []string{
			`{"Name":"echo"}`, `{"Name":"echo","Headers":{"envelope-signature":null}}`, `{"Name":"echo","Headers":{"envelope-signature":7}}`,
			`{"Name":"echo","Headers":{"envelope-signature":"1 1 - "}}`, `{"Name":"echo","Args":[{"Value":{"a":[1e999]}}],"OnSuccess":[null]}`,
			`{"Name":"echo","UUID":"` + s.cnf.DefaultQueue + `"}`, // the name of the queue itself
		} {
			s.push(t, []byte(message))
		}
		worker.dead.await(t, 6)
		o, err := await[Order](t, producer, producer.send(t, "echo", Order{ID: "o-1"}))
		require.NoError(t, err)
		assert.Equal(t, Order{ID: "o-1"}, o)
	})
}

// A forger learns the UUID of a task that is running.
func TestAForgeryLeavesTheResultOfTheTaskWhoseUUIDItHas(t *testing.T) {
	unreadable := map[string]string{"rabbitmq": "the state of a task that is running cannot be read: see SECURITY.md"}
	everywhereBut(t, unreadable, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		producer, worker := s.join(t, registry(t), mac), s.join(t, registry(t), mac)
		running, forged := make(chan struct{}), make(chan struct{})
		require.NoError(t, worker.RegisterTask("slow", func(o Order) (Order, error) {
			close(running)
			<-forged
			return o, nil
		}))
		worker.launch(t)
		genuine, err := producer.Signature(t.Context(), "slow", Order{ID: "o-1"})
		require.NoError(t, err)
		res, err := producer.SendTask(t.Context(), genuine)
		require.NoError(t, err)
		<-running
		forgery := newTask("slow")
		forgery.UUID = genuine.UUID
		s.push(t, marshal(t, forgery))
		worker.dead.await(t, 1)
		state, err := producer.server.GetBackend().GetState(genuine.UUID)
		require.NoError(t, err)
		assert.Equal(t, tasks.StateStarted, state.State)
		close(forged)
		o, err := await[Order](t, producer, res)
		require.NoError(t, err)
		assert.Equal(t, "o-1", o.ID)
	})
}
