package backends_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	memcachebackend "github.com/RichardKnop/machinery/v2/backends/memcache"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func openMemcached(t *testing.T, cnf *config.Config) func() backendsiface.Backend {
	address := services.Memcached(t)
	return func() backendsiface.Backend {
		backend := memcachebackend.New(cnf, []string{address})
		_, _ = backend.GetState("nothing") // it makes its client at the first use, without a lock
		return backend
	}
}

// letters keeps the reasons of dead letters.
type letters chan error

func (l letters) Push(_ context.Context, _ *tasks.Signature, reason error) error {
	l <- reason
	return nil
}

func TestATaskRunsOnceThoughMemcachedDoesNotTakeItsResult(t *testing.T) {
	cnf := &config.Config{DefaultQueue: "results-" + uuid.NewString(), ResultsExpireIn: 3600, NoUnixSignals: true}
	dead := make(letters, 1)
	m := work(t, withQueueInRedis(openMemcached)(t, cnf)(), middleware.WithDeadLetters(dead))
	var runs atomic.Int32
	require.NoError(t, m.RegisterTask("large", func() (string, error) {
		runs.Add(1)
		return strings.Repeat("x", 2<<20), nil
	}))
	s, err := m.Signature(t.Context(), "large")
	require.NoError(t, err)
	sent, err := m.SendTask(t.Context(), s)
	require.NoError(t, err)
	_, err = middleware.Await[string](t.Context(), m, sent)
	require.ErrorContains(t, err, middleware.ErrNotRecorded.Error())
	require.ErrorIs(t, <-dead, middleware.ErrNotRecorded)
	require.EqualValues(t, 1, runs.Load())
}
