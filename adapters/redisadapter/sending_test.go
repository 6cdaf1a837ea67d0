package redisadapter_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// followed is a task with a callback, as a sender publishes it.
func followed(queue string) *tasks.Signature {
	signature := task("add", "a")
	callback := task("add", "callback")
	callback.RoutingKey = queue
	signature.OnSuccess = []*tasks.Signature{callback}
	return signature
}

// The processor does what Machinery's worker does: it sends callbacks and forgets errors.
func TestCallbackIsSentUntilTheBackendIsBack(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	results := miniredis.RunT(t)
	client, asked := impatient(t, results)
	backend := redisadapter.NewBackend(s.cnf, client, redisadapter.WithRetryTimeout(0))
	broker := newWorkingBroker(s)
	var seen journal
	work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
		_ = seen.Add(signature)
		for _, callback := range signature.OnSuccess {
			if backend.SetStatePending(callback) == nil {
				_ = broker.Publish(context.Background(), callback)
			}
		}
		return nil
	}})
	results.SetError("LOADING Redis is loading the dataset in memory")
	publish(t, broker, followed(s.cnf.DefaultQueue))
	eventually(t, func() bool { return asked.Load() > 3 })
	require.Equal(t, []string{"a"}, seen.UUIDs())
	results.SetError("")
	seen.AwaitInOrder(t, "a", "callback")
}

func TestTaskWhoseCallbackCouldNotBeSentBeforeTheWorkerStoppedIsKept(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	results := miniredis.RunT(t)
	results.SetError("LOADING Redis is loading the dataset in memory")
	client, asked := impatient(t, results)
	backend := redisadapter.NewBackend(s.cnf, client)
	broker := newWorkingBroker(s)
	ended := work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
		_ = backend.SetStatePending(signature.OnSuccess[0])
		return nil
	}})
	publish(t, broker, followed(s.cnf.DefaultQueue))
	eventually(t, func() bool { return asked.Load() > 3 })
	broker.StopConsuming()
	<-ended
	require.Equal(t, 1, s.queued(t))
}

func TestCallbackIsSentByABrokerThatIsBeingClosed(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s).(redisadapter.Broker)
		begun, closing := make(chan struct{}), make(chan struct{})
		var err atomic.Value
		ended := work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			close(begun)
			<-closing
			if e := broker.Publish(context.Background(), signature.OnSuccess[0]); e != nil {
				err.Store(e)
			}
			return nil
		}})
		s.enqueue(t, `{"UUID":"a","Name":"add","OnSuccess":[{"UUID":"callback","Name":"add"}]}`)
		<-begun
		go func() { _ = broker.Close() }()
		eventually(t, func() bool { return broker.Publish(t.Context(), task("add", "b")) != nil })
		close(closing)
		<-ended
		require.Nil(t, err.Load())
	})
}

// A task's context has ended when its time is up.
func TestWhatFollowsATaskIsSentThoughTheContextHasEnded(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(context.Background())
	end()
	late, release := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer release()
	for name, ctx := range map[string]context.Context{"cancelled": ended, "deadline": late} {
		t.Run(name, func(t *testing.T) {
			onEveryTopology(t, func(t *testing.T, s *site) {
				broker := newWorkingBroker(s)
				var seen journal
				work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
					_ = seen.Add(signature)
					for _, callback := range signature.OnSuccess {
						_ = broker.Publish(ctx, callback)
					}
					return nil
				}})
				publish(t, broker, followed(s.cnf.DefaultQueue))
				seen.AwaitInOrder(t, "a", "callback")
			})
		})
	}
}

func TestCallbackThatIsTooLongGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newWorkingBroker(s, redisadapter.WithMaxMessage(2000))
	work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
		callback := signature.OnSuccess[0]
		callback.Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("a", 2000)}} // the results of the task
		_ = broker.Publish(context.Background(), callback)
		return nil
	}})
	publish(t, broker, followed(s.cnf.DefaultQueue))
	letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
	letter := awaitLetters(t, letters, 1)[0]
	require.Equal(t, "callback", letter.UUID)
	require.Contains(t, letter.Reason, envelope.ErrLimit.Error())
}

func TestCallbackThatCanNeverBeSentGoesToTheDeadLetters(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		noQueue := s.name + ":no-queue"
		require.NoError(t, s.client.Set(t.Context(), noQueue, "text", 0).Err())
		broker := newWorkingBroker(s)
		var failed atomic.Bool
		work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			failed.Store(broker.Publish(context.Background(), signature.OnSuccess[0]) != nil)
			return nil
		}})
		signature := followed(noQueue)
		publish(t, broker, signature)
		letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		letter := awaitLetters(t, letters, 1)[0]
		require.Equal(t, "callback", letter.UUID)
		require.Equal(t, noQueue, letter.Queue)
		require.False(t, failed.Load())
	})
}
