package adaptertest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// An Adapter is what the contract needs to know of an adapter.
type Adapter struct {
	// These are the errors of the same names.
	ErrTooManyAttempts, ErrConfig, ErrClosed, ErrForeignBroker error
	// Quit is the function of the same name.
	Quit func(*machinery.Worker) error
	// Servers are those that the adapter supports.
	Servers []Server
	// Exceptions are names of clauses that do not hold for the adapter, with the reason.
	Exceptions map[string]string
	// Unsupported are what its Source cannot do, with the reason: names of the methods that return
	// inspect.ErrUnsupported, as "RunNow", or for one state as "Tasks(delayed)", and names of the counts of
	// inspect.Queue that are inspect.Unknown, as "Delayed". That of workers is "Workers of a queue", or
	// "Workers of a paused queue". "Done" is that its tasks are not counted.
	Unsupported map[string]string
}

// A Server is one kind of server that an adapter supports.
type Server struct {
	Name string
	// New returns a Site on the server. Where there is none it skips the test, or fails it where CI=true.
	New func(t *testing.T) Site
	// Exceptions are names of clauses that do not hold on this server, with the reason.
	Exceptions map[string]string
}

// A Site is a place on a server, with queues that no other test uses. What is there is removed at the end of the test.
type Site interface {
	// Config returns the configuration of the site's brokers. Tests use its DefaultQueue and the one that CustomQueue
	// returns.
	Config() *config.Config
	// RoutingKey returns what fills an empty routing key.
	RoutingKey() string
	// NewBroker returns a broker that reaches the server through Network. The site closes it at the end of the test.
	NewBroker(t *testing.T, o Options) brokersiface.Broker
	// Network returns what is between the site's brokers and the server.
	Network() *Network
	// DeadLetters returns those that brokers use which were made without Options.DeadLetters, for the default queue.
	DeadLetters(t *testing.T) deadletter.Store
	// OwnDeadLetters returns others, which no broker uses unless by Options.DeadLetters.
	OwnDeadLetters(t *testing.T) deadletter.Store
	// Enqueue puts messages at the end of a queue that exists.
	Enqueue(t *testing.T, queue string, bodies ...[]byte)
	// Waiting returns how many messages in a queue wait to be taken; 0 where there is no queue.
	Waiting(t *testing.T, queue string) int
	// Next takes the next message out of a queue that has one.
	Next(t *testing.T, queue string) []byte
}

// A SourceSite is a Site of an adapter that has a Source.
type SourceSite interface {
	Site
	// NewSource returns a source of the site's queues and states.
	NewSource(t *testing.T) inspect.Source
	// NewBackend returns a backend of the states that the source tells.
	NewBackend(t *testing.T) backendsiface.Backend
}

// CustomQueue names the queue of a site that is not its default queue.
func CustomQueue(cnf *config.Config) string { return cnf.DefaultQueue + "-custom" }

// Options are the options that the brokers of all adapters have, each under its name with With before it. What is nil
// is left at its default.
type Options struct {
	MaxAttempts    *int
	MaxMessage     *int
	Backoff        *Backoff
	PublishTimeout *time.Duration
	DeadLetters    deadletter.Store
	Logger         *slog.Logger
}

// Timeout is that of WithPublishTimeout and WithStopTimeout of all brokers that a site makes, where Options say nothing
// else: a busy server may take longer than the defaults to make the queues of the first task that comes later.
const Timeout = 2 * time.Minute

// Backoff is what WithBackoff takes.
type Backoff struct{ First, Last time.Duration }
