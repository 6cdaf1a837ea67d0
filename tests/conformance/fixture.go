package conformance

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// timeout bounds every wait. It is far longer than anything takes.
const timeout = 2 * time.Minute

// delay is how long tasks are put off.
const delay = 100 * time.Millisecond

// fixture is a producer and a worker that share nothing but the transport. In eager mode they are one.
type fixture struct {
	transport Transport
	server    *machinery.Server // the producer's
	producer  *middleware.Middleware
	worker    *middleware.Middleware
	workers   *machinery.Server        // the worker's
	newServer func() *machinery.Server // on the same queue
	types     *envelope.Registry       // the worker's
}

// newFixture has a worker that runs until the test has ended.
func newFixture(t *testing.T, tr Transport, opts ...middleware.Option) *fixture {
	f := newIdleFixture(t, tr, opts...)
	f.launch(t, f.workers, f.worker.NewWorker("conformance", 4))
	return f
}

// launchWith launches a worker with a pre-task handler of the application's own, which sees refused tasks too.
func (f *fixture) launchWith(t *testing.T, handler func(*tasks.Signature)) {
	worker := f.worker.NewWorker("conformance", 4)
	worker.SetPreTaskHandler(handler)
	f.launch(t, f.workers, worker)
}

// newIdleFixture leaves it to the test to launch a worker.
func newIdleFixture(t *testing.T, tr Transport, opts ...middleware.Option) *fixture {
	cnf := &config.Config{DefaultQueue: "conformance-" + uuid.NewString(), ResultsExpireIn: 3600, NoUnixSignals: true}
	cnf.Redis = &config.RedisConfig{DelayedTasksKey: DelayedQueue(cnf), DelayedTasksPollPeriod: 20}
	newServer := tr.Open(t, cnf)
	opts = slices.Concat(tr.Options, opts)
	f := &fixture{transport: tr, server: newServer(), workers: newServer(), newServer: newServer}
	f.types = registry()
	f.worker = install(t, f.workers, f.types, opts...)
	if f.workers == f.server {
		f.producer = f.worker
	} else {
		f.producer = install(t, f.server, registry(), opts...)
	}
	return f
}

func install(t *testing.T, server *machinery.Server, types *envelope.Registry, opts ...middleware.Option) *middleware.Middleware {
	m, err := middleware.Install(server, types, opts...)
	require.NoError(t, err)
	return m
}

// launch starts a worker of a server and returns what stops it, which happens at the latest when the test has ended.
func (f *fixture) launch(t *testing.T, server *machinery.Server, worker *machinery.Worker) (quit func()) {
	if mode, ok := server.GetBroker().(eager.Mode); ok {
		mode.AssignWorker(worker)
		return func() {}
	}
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	// Machinery's own brokers panic when they are stopped twice.
	quit = sync.OnceFunc(func() {
		worker.Quit()
		select {
		case <-ended:
		case <-time.After(timeout):
			t.Error("the worker did not stop")
		}
	})
	t.Cleanup(quit)
	return quit
}

func (f *fixture) isEager() bool {
	_, ok := f.server.GetBroker().(eager.Mode)
	return ok
}

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
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return middleware.Await[T](ctx, f.producer, res)
}

// mustAwait returns the result of a task that must succeed.
func mustAwait[T any](t *testing.T, f *fixture, res middleware.Result) T {
	value, err := await[T](t, f, res)
	require.NoError(t, err)
	return value
}

// refusal returns the error of a call that must fail: that of the worker, or, where the task is registered in the same
// process, that of Signature.
func (f *fixture) refusal(t *testing.T, name string, args ...any) error {
	s, err := f.producer.Signature(t.Context(), name, args...)
	if err == nil {
		s.RetryCount = 3
		_, err = await[struct{}](t, f, f.send(t, s))
	}
	require.Error(t, err)
	return err
}

// scan reads the several results of a task that must succeed.
func scan(t *testing.T, f *fixture, res middleware.Result, targets ...any) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	require.NoError(t, middleware.Scan(ctx, f.producer, res, targets...))
}
