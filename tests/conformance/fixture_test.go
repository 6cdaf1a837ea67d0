package conformance_test

import (
	"context"
	"io"
	stdlog "log"
	"os"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// patience bounds every wait. It is far longer than anything takes.
const patience = 30 * time.Second

// fixture is a producer and a worker that share nothing but the transport. In
// eager mode they are one.
type fixture struct {
	transport string
	server    *machinery.Server // the producer's
	producer  *middleware.Middleware
	worker    *middleware.Middleware
	workers   *machinery.Server // the worker's
}

func TestMain(m *testing.M) {
	// Machinery logs every failed task with its stack.
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

func newFixture(t *testing.T, tr transport) *fixture {
	queue := "conformance-" + uuid.NewString()
	newServer := tr.open(t, &config.Config{
		DefaultQueue:    queue,
		ResultsExpireIn: 3600,
		NoUnixSignals:   true,
		Redis:           &config.RedisConfig{DelayedTasksKey: queue + ":delayed", DelayedTasksPollPeriod: 20},
	})
	f := &fixture{transport: tr.name, server: newServer(), workers: newServer()}
	f.producer = install(t, f.server)
	if f.workers == f.server {
		f.worker = f.producer
	} else {
		f.worker = install(t, f.workers)
	}
	f.launch(t)
	return f
}

func install(t *testing.T, server *machinery.Server) *middleware.Middleware {
	m, err := middleware.Install(server, registry())
	require.NoError(t, err)
	return m
}

// launch starts the worker and stops it when the test has ended.
func (f *fixture) launch(t *testing.T) {
	worker := f.worker.NewWorker("conformance", 4)
	if mode, ok := f.workers.GetBroker().(eager.Mode); ok {
		mode.AssignWorker(worker)
		return
	}
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the worker did not stop")
		}
	})
}

func (f *fixture) isEager() bool { return f.transport == "eager" }

// register registers a wrapped task under a name of the test's own.
func (f *fixture) register(t *testing.T, fn any, opts ...middleware.TaskOption) string {
	name := "task-" + uuid.NewString()
	require.NoError(t, f.worker.RegisterTask(name, fn, opts...))
	return name
}

// registerPlain registers a task with Machinery, past the middleware.
func (f *fixture) registerPlain(t *testing.T, fn any) string {
	name := "plain-" + uuid.NewString()
	require.NoError(t, f.workers.RegisterTask(name, fn))
	return name
}

func (f *fixture) signature(t *testing.T, name string, args ...any) *tasks.Signature {
	s, err := f.producer.Signature(t.Context(), name, args...)
	require.NoError(t, err)
	return s
}

func (f *fixture) send(t *testing.T, s *tasks.Signature) middleware.Result {
	res, err := f.server.SendTaskWithContext(t.Context(), s)
	require.NoError(t, err)
	return res
}

func await[T any](t *testing.T, f *fixture, res middleware.Result) (T, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return middleware.Await[T](ctx, f.producer, res)
}

// mustAwait returns the result of a task that must succeed.
func mustAwait[T any](t *testing.T, f *fixture, res middleware.Result) T {
	value, err := await[T](t, f, res)
	require.NoError(t, err)
	return value
}
