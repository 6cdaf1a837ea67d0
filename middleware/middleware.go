// Package middleware lets the tasks of a Machinery application take and
// return the application's own Go types.
//
// Install it once on an existing server, register tasks through it, and make
// signatures with it:
//
//	registry := envelope.NewRegistry()
//	envelope.MustRegister[Order](registry, "orders.Order")
//
//	m, err := middleware.Install(server, registry)
//	err = m.RegisterTask("orders.price", func(ctx context.Context, o Order) (Quote, error) { … })
//	signature, err := m.Signature(ctx, "orders.price", Order{ID: "o-1"})
//	result, err := server.SendTaskWithContext(ctx, signature)
//	quote, err := middleware.Await[Quote](ctx, m, result)
//
// On the way out, values of registered types are put in envelopes; on
// receipt they are restored before the task runs; what the task returns takes
// the same way back. What Machinery carries by itself (bool, integers, floats,
// strings and slices of those) stays as it is, so tasks registered with
// Machinery directly work beside wrapped ones, in one chain too.
//
// # What else there is
//
//   - Typed tasks, for new code: NewTask.
//   - Arguments by name: Named and Params. Several results: Scan.
//   - Sends that keep their context: SendTask, SendChain, SendGroup, SendChord.
//   - Failures that keep their type: TaskError.
//   - Handlers of your own: WithPrePublish, WithPreTask, Args.
//   - What nobody can do: WithDeadLetters, DeadLetterFailures.
//   - Rolling deployments: RetryUnknown.
//   - Closed to strangers: SignTasks, EnvelopeAll, and envelope.EncryptAll.
//   - Traces and metrics: WithPropagator, WithObserver, package otelmiddleware.
package middleware

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// ErrInstalled is returned by Install on a server that has the middleware
// already.
var ErrInstalled = errors.New("middleware is installed on this server already")

// Middleware carries an application's own types through one Machinery server.
// It is safe for concurrent use.
type Middleware struct {
	server   *machinery.Server
	inner    brokersiface.Broker // that the middleware was installed over
	registry *envelope.Registry
	preTask  func(*tasks.Signature)
	form     form
	signing  signing

	propagator Propagator
	observer   Observer

	deadLetters     DeadLetters
	keepFailures    bool
	lostDeadLetters atomic.Int64
	unknownDelay    time.Duration
	unknownAttempts int

	wrapped  sync.Map // task name → *task
	received sync.Map // *tasks.Signature, of those being processed, whose arguments are in wire form

	gathering sync.Map // *tasks.Signature, members of chords that are being processed, if signed
}

// An Option configures Install.
type Option func(*Middleware)

// WithPrePublish keeps an application's own pre-publish handler. It runs where
// Machinery runs it (in SendTask), before values are put in envelopes: it sees
// the arguments as the caller gave them.
//
// It takes the server's only slot for one. A handler that is in the slot stays
// there without this option.
func WithPrePublish(handler func(*tasks.Signature)) Option {
	return func(m *Middleware) { m.server.SetPreTaskHandler(handler) }
}

// WithPreTask gives an application's own pre-task handler to all workers that are
// made by NewWorker or passed to Attach. It runs after the arguments are
// restored and before the task.
func WithPreTask(handler func(*tasks.Signature)) Option {
	return func(m *Middleware) { m.preTask = handler }
}

// EnvelopeSlices puts slices of base types in envelopes too, as typed tasks do:
// Machinery takes about 116 ms to restore a []byte of 1 MiB. Without it they
// travel as Machinery carries them, for tasks that are not wrapped and for
// workers that do not have the middleware yet. A wrapped task takes either, and
// a plain one on a server with the middleware gets its slice.
func EnvelopeSlices() Option {
	return func(m *Middleware) { m.form = sliceForm }
}

// Install adds the middleware to a server: from then on every task that is
// published through the server's broker has its values put in envelopes.
// Install it before workers are launched.
//
// It returns ErrInstalled when the server has the middleware already.
func Install(server *machinery.Server, r *envelope.Registry, opts ...Option) (*Middleware, error) {
	if server == nil || server.GetBroker() == nil {
		return nil, errors.New("install middleware: no server, or a server without a broker")
	}
	if r == nil {
		return nil, errors.New("install middleware: no registry: make one with envelope.NewRegistry()")
	}
	if isInstalled(server.GetBroker()) {
		return nil, fmt.Errorf("install middleware: %w", ErrInstalled)
	}
	m := &Middleware{server: server, inner: server.GetBroker(), registry: r, form: nativeForm}
	if keeper, ok := server.GetBroker().(DeadLetterKeeper); ok {
		m.deadLetters = keeper.DeadLetters()
	}
	for _, option := range opts {
		option(m)
	}
	if err := m.signing.check(); err != nil {
		return nil, fmt.Errorf("install middleware: %w", err)
	}
	if m.signing.wanted && server.GetBackend() != nil {
		server.SetBackend(m.decorateBackend(server.GetBackend()))
	}
	server.SetBroker(m.decorate(server.GetBroker()))
	return m, nil
}

func isInstalled(b brokersiface.Broker) bool {
	for b != nil {
		if _, ok := b.(interface{ middleware() *Middleware }); ok {
			return true
		}
		outer, ok := b.(interface{ Unwrap() brokersiface.Broker })
		if !ok {
			return false
		}
		b = outer.Unwrap()
	}
	return false
}
