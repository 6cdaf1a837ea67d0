package redisadapter_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestTasksBeginWhileTheEndsOfOthersAreWritten(t *testing.T) {
	for concurrency, atATime := range map[int]int32{1: 1, 2: 3, 4: 7} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			t.Parallel()
			const all = 20
			s, _ := embedded(t)
			broker := newWorkingBroker(s)
			var running, ended atomic.Int32
			release := make(chan struct{})
			work(t, broker, concurrency, &processor{Func: func(s *tasks.Signature) error {
				defer ended.Add(1)
				defer running.Add(-1)
				if running.Add(1) > atATime {
					t.Error("too many tasks at a time")
				}
				delivery.SentFor(t.Context(), s).NoteReturned()
				<-release
				return nil
			}})
			for i := range all {
				publish(t, broker, task("add", fmt.Sprint(i)))
			}
			eventually(t, func() bool { return running.Load() == atATime })
			close(release)
			eventually(t, func() bool { return ended.Load() == all })
		})
	}
}

// The next fetch, which would acknowledge it, comes when a task that has a slot has returned.
func TestTaskThatEndsIsAcknowledgedWhileOthersHaveAllSlots(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		begun, release := make(chan struct{}, 2), make(chan struct{})
		allBegun := make(chan struct{})
		work(t, broker, 2, &processor{Func: func(s *tasks.Signature) error {
			if s.UUID != "short" {
				begun <- struct{}{}
				<-release
				return nil
			}
			delivery.SentFor(t.Context(), s).NoteReturned()
			<-allBegun
			return nil
		}})
		defer close(release)
		s.enqueue(t, message("short"), message("long"), message("longer"))
		<-begun
		<-begun
		close(allBegun)
		eventually(t, func() bool {
			held := s.processing(t)
			slices.Sort(held)
			return slices.Equal(held, []string{message("long"), message("longer")})
		})
	})
}

func TestWorkerLearnsThatTheFunctionOfATaskHasReturned(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		for name, end := range map[string]func(*tasks.Signature) error{
			"success": func(signature *tasks.Signature) error { return backend.SetStateSuccess(signature, nil) },
			"failure": func(signature *tasks.Signature) error { return backend.SetStateFailure(signature, "failed") },
		} {
			for source, learns := range map[any]int{s.client: 1, "another Redis": 0} {
				signature, learned := task("add", s.prefix+name), 0
				d := delivery.BeginFrom(source, t.Context(), signature)
				d.WhenReturned(func() { learned++ })
				require.NoError(t, backend.SetStateStarted(signature))
				require.Zero(t, learned)
				require.NoError(t, end(signature))
				require.Equal(t, learns, learned)
				require.NoError(t, d.End())
			}
		}
	})
}

// A worker must not begin a task while it cannot write how another one has ended.
func TestNoTaskBeginsAheadWhileRedisFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := starting(t)
		backend := redisadapter.NewBackend(newConfig(), client)
		signature, learned := task("add", "a"), 0
		d := delivery.BeginFrom(client, t.Context(), signature)
		d.WhenReturned(func() { learned++ })
		require.Error(t, backend.SetStateSuccess(signature, nil))
		require.Equal(t, 1, learned) // nothing had failed before
		require.Error(t, backend.SetStateSuccess(signature, nil))
		require.Equal(t, 1, learned)
		require.NoError(t, d.End())
	})
}
