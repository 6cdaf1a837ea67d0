package redisadapter_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// hinted is a backend on which a task has not ended until a hint has come after its end.
type hinted struct {
	backendsiface.Backend
	subscribed    chan struct{}
	ended, awoken atomic.Bool
}

func (b *hinted) NotifyEnd(ctx context.Context, uuids ...string) (<-chan struct{}, error) {
	hints, err := b.Backend.(middleware.Notifier).NotifyEnd(ctx, uuids...)
	passed := make(chan struct{}, 1)
	go func() {
		subscribe := sync.OnceFunc(func() { close(b.subscribed) })
		for {
			select {
			case <-ctx.Done():
				return
			case <-hints:
			}
			b.awoken.Store(b.ended.Load())
			subscribe()
			select {
			case passed <- struct{}{}:
			default:
			}
		}
	}()
	return passed, err
}

func (b *hinted) GetState(uuid string) (*tasks.TaskState, error) {
	if !b.awoken.Load() {
		return tasks.NewPendingTaskState(task("add", uuid)), nil
	}
	return b.Backend.GetState(uuid)
}

func TestAwaitWakesWhenTheTaskEnds(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := &hinted{Backend: redisadapter.NewBackend(s.cnf, s.client), subscribed: make(chan struct{})}
		m, err := middleware.Install(machinery.NewServer(s.cnf, eagerbroker.New(), backend, eagerlock.New()), envelope.NewRegistry())
		require.NoError(t, err)
		signature := task("add", s.prefix+"a")
		require.NoError(t, backend.SetStatePending(signature))
		awaited := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		go func() {
			_, err := middleware.Await[string](ctx, m, result.NewAsyncResult(signature, backend))
			awaited <- err
		}()
		eventually(t, closed(backend.subscribed))
		backend.ended.Store(true)
		write(t, backend, signature, tasks.StateSuccess)
		require.NoError(t, <-awaited)
	})
}

// interrupted is a backend whose worker is interrupted once, between the flag of a chord and its callback.
type interrupted struct {
	backendsiface.Backend
	triggered atomic.Int32
}

func (b *interrupted) TriggerChord(groupUUID string) (bool, error) {
	triggered, err := b.Backend.TriggerChord(groupUUID)
	if err == nil && triggered && b.triggered.Add(1) == 1 {
		return false, errors.New("interrupted")
	}
	return triggered, err
}

func TestInterruptedChordIsResumed(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		s.cnf.DefaultQueue, s.cnf.NoUnixSignals = s.prefix+"tasks", true
		backend := &interrupted{Backend: redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(brief))}
		server := machinery.NewServer(s.cnf, redisadapter.NewBroker(s.cnf, s.client), backend, eagerlock.New())
		m, err := middleware.Install(server, envelope.NewRegistry())
		require.NoError(t, err)
		var sums atomic.Int32
		require.NoError(t, m.RegisterTasks(map[string]any{
			"one": func() (int64, error) { return 1, nil },
			"sum": func(numbers ...int64) (sum int64, err error) {
				sums.Add(1)
				for _, n := range numbers {
					sum += n
				}
				return sum, nil
			},
		}))
		signatures := make([]*tasks.Signature, 4)
		for i, name := range []string{"one", "one", "one", "sum"} {
			signatures[i], err = m.Signature(t.Context(), name)
			require.NoError(t, err)
		}
		group, err := tasks.NewGroup(signatures[:3]...)
		require.NoError(t, err)
		chord, err := tasks.NewChord(group, signatures[3])
		require.NoError(t, err)
		sent, err := server.SendChord(chord, 0)
		require.NoError(t, err)

		worker := m.NewWorker("worker", 3)
		ended := make(chan error, 1)
		worker.LaunchAsync(ended)
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		sum, err := middleware.Await[int64](ctx, m, sent)
		assert.NoError(t, err)
		assert.EqualValues(t, 3, sum)
		worker.Quit()
		<-ended
		require.EqualValues(t, 2, backend.triggered.Load())
		require.EqualValues(t, 1, sums.Load())
	})
}
