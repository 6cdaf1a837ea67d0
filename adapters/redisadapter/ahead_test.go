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

func TestTasksBeginWhileTheEndOfAsManyOthersIsWritten(t *testing.T) {
	t.Parallel()
	const concurrency, all = 2, 10
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var running, ended atomic.Int32
	release := make(chan struct{})
	work(t, broker, concurrency, &processor{Func: func(s *tasks.Signature) error {
		defer ended.Add(1)
		defer running.Add(-1)
		if running.Add(1) > 2*concurrency {
			t.Error("too many tasks at a time")
		}
		delivery.SentFor(t.Context(), s).NoteReturned()
		<-release
		return nil
	}})
	for i := range all {
		publish(t, broker, task("add", fmt.Sprint(i)))
	}
	eventually(t, func() bool { return running.Load() == 2*concurrency })
	close(release)
	eventually(t, func() bool { return ended.Load() == all })
}

// The next fetch, which would acknowledge it, comes when the task that has its slot has returned.
func TestTaskThatEndsIsAcknowledgedWhileAnotherHasItsSlot(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		begun, release := make(chan struct{}), make(chan struct{})
		work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
			if s.UUID == "long" {
				close(begun)
				<-release
				return nil
			}
			delivery.SentFor(t.Context(), s).NoteReturned()
			<-begun
			return nil
		}})
		defer close(release)
		s.enqueue(t, message("short"), message("long"))
		<-begun
		eventually(t, func() bool { return slices.Equal(s.processing(t), []string{message("long")}) })
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
