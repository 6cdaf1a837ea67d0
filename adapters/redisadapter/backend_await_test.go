package redisadapter_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

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

// Await polls every 250 ms by then. Woken by the backend, at least half of those who wait have to be much quicker, on a
// busy machine too.
func TestAwaitWakesWhenTheTaskEnds(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		m, err := middleware.Install(machinery.NewServer(s.cnf, eagerbroker.New(), backend, eagerlock.New()), envelope.NewRegistry())
		require.NoError(t, err)
		var late []time.Duration
		for i := range 5 {
			signature := task("add", s.prefix+string(rune('a'+i)))
			require.NoError(t, backend.SetStatePending(signature))
			woken := make(chan time.Time, 1)
			go func() {
				_, err := middleware.Await[string](t.Context(), m, result.NewAsyncResult(signature, backend))
				assert.NoError(t, err)
				woken <- time.Now()
			}()
			// Long enough for polls to have become rare: the last was 255 ms after the first.
			<-time.After(300 * time.Millisecond)
			write(t, backend, signature, tasks.StateSuccess)
			ended := time.Now()
			late = append(late, (<-woken).Sub(ended))
		}
		slices.Sort(late)
		t.Logf("median %s", late[len(late)/2])
		require.Less(t, late[len(late)/2], 100*time.Millisecond)
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
		ctx, cancel := context.WithTimeout(t.Context(), patience)
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
