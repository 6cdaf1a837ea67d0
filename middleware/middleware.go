package middleware

import (
	"errors"
	"fmt"
	"sync"

	"github.com/RichardKnop/machinery/v2"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// ErrInstalled is returned by Install on a server that has the middleware already.
var ErrInstalled = errors.New("middleware is installed on this server already: use the *Middleware of the first Install")

// Middleware carries an application's own types through one Machinery server. It is safe for concurrent use.
type Middleware struct {
	server *machinery.Server
	broker brokersiface.Broker // that the middleware was installed over

	preTask      func(*tasks.Signature)
	scope        scope
	keepFailures bool
	retryUnknown retryPolicy
	propagator   Propagator

	values   *packer // of arguments
	results  *packer
	unpacker *unpacker
	errors   *errorPacker
	signing  *signing // nil without SignTasks
	reporter *reporter
	letters  *letters
	failer   *failer

	wrapped sync.Map // task name → *task
	slips   sync.Map // task name → []slip
	// gathered are the tasks whose states and messages wait for the others of their batch.
	gathered sync.Map // *tasks.Signature → true
	justSent justSent
}

// Install adds the middleware to a server: from then on every task that is published through the server's broker has
// its values put in envelopes. Install it before workers are launched, and after SetBroker and SetBackend: sending
// fails when one of them is called later. The backend is decorated too, and has Unwrap() as the broker has.
//
// It returns ErrInstalled when the server has the middleware already, ErrMachinery, that of Registry.Err,
// and an error that names the option where one cannot be meant. The server is as it was then.
func Install(server *machinery.Server, r *envelope.Registry, opts ...Option) (*Middleware, error) {
	if server == nil || server.GetBroker() == nil {
		return nil, errors.New("install middleware: no server, or a server without a broker")
	}
	if r == nil {
		return nil, errors.New("install middleware: no registry: make one with envelope.NewRegistry()")
	}
	if machineryFields != nil {
		return nil, fmt.Errorf("install middleware: %w", machineryFields)
	}
	if _, installed := Of(server); installed {
		return nil, fmt.Errorf("install middleware: %w", ErrInstalled)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("install middleware: %w", err)
	}
	wanted, err := newSettings(opts)
	if err != nil {
		return nil, fmt.Errorf("install middleware: %w", err)
	}
	m := newMiddleware(server, r, wanted)
	if wanted.prePublish != nil {
		server.SetPreTaskHandler(wanted.prePublish)
	}
	if server.GetBackend() != nil {
		server.SetBackend(decorateBackend(m, server.GetBackend()))
	}
	server.SetBroker(m.decorateBroker())
	findSlips(m, server.GetRegisteredTaskNames())
	return m, nil
}

func newMiddleware(server *machinery.Server, r *envelope.Registry, wanted settings) *Middleware {
	reports := newReporter(wanted.observer, wanted.logger)
	known := knownTypes{r}
	dead := &letters{store: wanted.deadLetters, reporter: reports}
	if b, ok := find[DeadLetterBroker](server.GetBroker()); ok && dead.store == nil {
		dead.store, dead.ofBroker = b.DeadLetters(), true
	}
	return &Middleware{
		server: server, broker: server.GetBroker(),
		preTask: wanted.preTask, scope: wanted.scope, keepFailures: wanted.keepFailures,
		retryUnknown: wanted.retryUnknown, propagator: wanted.propagator,
		values:   &packer{knownTypes: known, reporter: reports},
		results:  &packer{knownTypes: known, reporter: reports, keeps: keptBy(server.GetBackend())},
		unpacker: &unpacker{knownTypes: known, reporter: reports},
		errors:   &errorPacker{known, reports}, signing: wanted.signing, reporter: reports,
		letters: dead, failer: &failer{server, reports, dead},
	}
}

// find returns b, or the first of the brokers that it decorates, that is a T.
func find[T any](b brokersiface.Broker) (found T, ok bool) {
	for b != nil {
		if found, ok = b.(T); ok {
			return found, true
		}
		outer, decorates := b.(interface{ Unwrap() brokersiface.Broker })
		if !decorates {
			return found, false
		}
		b = outer.Unwrap()
	}
	return found, false
}
