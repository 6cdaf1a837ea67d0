// Package compatibility runs Machinery's own integration tests with the middleware installed, so that whoever installs
// it knows that their tasks go on as before.
//
// Machinery's tests are taken from its module, at the version that go.mod requires, and changed in one place: where
// they register their tasks, they call RegisterTasks here.
package compatibility

import (
	"fmt"
	"os"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Variable is the environment variable that holds the way in which tasks are registered.
const Variable = "COMPATIBILITY_WAY"

// The ways to register Machinery's test tasks.
const (
	Alone   = "alone"   // without the middleware: the control, for it tells whose fault a failure is
	Plain   = "plain"   // with Machinery, on a server that has the middleware
	Wrapped = "wrapped" // through the middleware
)

// A Server is what Machinery's tests know of a *machinery.Server.
type Server interface {
	RegisterTasks(fns map[string]any) error
}

// RegisterTasks registers the tasks in the way that Variable names. It panics
// when it cannot, because Machinery's tests look at no error here.
func RegisterTasks(s Server, fns map[string]any) {
	server := s.(*machinery.Server)
	isolate(server.GetConfig())
	if err := register(server, fns, os.Getenv(Variable)); err != nil {
		panic(fmt.Sprintf("register Machinery's test tasks: %v", err))
	}
}

func register(server *machinery.Server, fns map[string]any, way string) error {
	if way == Alone {
		return server.RegisterTasks(fns)
	}
	m, err := middleware.Install(server, envelope.NewRegistry())
	if err != nil {
		return err
	}
	switch way {
	case Plain:
		return server.RegisterTasks(fns)
	case Wrapped:
		return m.RegisterTasks(fns)
	}
	return fmt.Errorf("%s=%q: no such way", Variable, way)
}

// isolate keeps Machinery's tests off the queue that they share with every application that has not named its own, and
// lets what they leave behind expire soon: the Redis or RabbitMQ may be a developer's.
func isolate(cnf *config.Config) {
	cnf.DefaultQueue = "machinery_envelope_compatibility_" + uuid.NewString()
	cnf.ResultsExpireIn = 120 // seconds
	if cnf.AMQP != nil {
		cnf.AMQP.BindingKey = cnf.DefaultQueue
		cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-expires": 120_000} // milliseconds
	}
}
