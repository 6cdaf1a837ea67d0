package middlewaretest

import (
	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// DefaultQueue is the default queue of every Server.
const DefaultQueue = "middlewaretest"

// A Server is a *machinery.Server in memory, for one test. It may be used by several goroutines at once, but for Run,
// RunOne and the functions of the package, which belong on the goroutine of the test.
type Server struct {
	*machinery.Server
	// Middleware is installed on the server; nil where NewServer or Connect got no registry.
	Middleware *middleware.Middleware

	t      TB
	broker *broker
	memory *memory
	worker *machinery.Worker // see Worker
}

// NewServer returns a server with the middleware installed, which ends with the test. It fails the test where
// middleware.Install returns an error.
//
// An application that installs the middleware by a function of its own passes a nil registry, and gives its function
// the *machinery.Server:
//
//	s := middlewaretest.NewServer(t, nil)
//	m, err := app.Install(s.Server)
func NewServer(t TB, r *envelope.Registry, opts ...middleware.Option) *Server {
	t.Helper()
	return newServer(t, newMemory(), r, opts)
}

// Connect returns another server with the same queues, results, clock and faults, as another process of the
// application has it: one that only sends, say, or one of another version. The tasks registered on one server run on
// that server alone. A periodic task that is registered on both fires once.
func (s *Server) Connect(r *envelope.Registry, opts ...middleware.Option) *Server {
	s.t.Helper()
	return newServer(s.t, s.memory, r, opts)
}

func newServer(t TB, shared *memory, r *envelope.Registry, opts []middleware.Option) *Server {
	t.Helper()
	cnf := &config.Config{DefaultQueue: DefaultQueue, ResultsExpireIn: 3600, NoUnixSignals: true}
	s := &Server{t: t, memory: shared, broker: newBroker(cnf, shared)}
	s.broker.server = s
	s.Server = machinery.NewServer(cnf, s.broker, newBackend(cnf, shared), lock{shared})
	t.Cleanup(func() {
		s.broker.StopConsuming()
		stopScheduler(s.Server)
	})
	if r == nil {
		return s
	}
	m, err := middleware.Install(s.Server, r, opts...)
	if err != nil {
		t.Fatalf("middlewaretest: %v", err)
	}
	s.Middleware = m
	return s
}

// Worker returns the worker that runs the tasks of Run and RunOne, and of the functions of the package, in every queue.
// An application that sets handlers on its workers sets them on this one.
func (s *Server) Worker() *machinery.Worker {
	if s.worker == nil {
		s.worker = s.newWorker()
	}
	return s.worker
}

func (s *Server) newWorker() *machinery.Worker {
	const tag, concurrency = "middlewaretest", 1
	if m, installed := middleware.Of(s.Server); installed {
		return m.NewWorker(tag, concurrency)
	}
	return s.NewWorker(tag, concurrency)
}
