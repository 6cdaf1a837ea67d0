package amqpadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter/internal/management"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// BrowseQueues has Tasks and Task of a source show the tasks that wait in classic queues, up to the first 1,000 of
// each, by taking them out and putting them back in their old places. No worker gets them meanwhile, and RabbitMQ marks
// them as redelivered, so that workers pass each one through the queue beside. By default a source does not: looking
// changes nothing then.
func BrowseQueues() inspect.SourceOption {
	return func(s *inspect.SourceSettings) { s.Browse = true }
}

// source implements inspect.Source.
type source struct {
	inspect.SourceSettings
	topology   topology
	publisher  *publisher
	management *management.Client // nil where there is none
	err        error              // of the configuration or an option
	missing    missingQueues
	// looking lets one method at a time take tasks out: it would hide them from the others.
	looking mutex

	mu      sync.Mutex
	letters map[string]*DeadLetters // of queues that have their own
}

var (
	_ inspect.Source = (*source)(nil)
	_ io.Closer      = (*source)(nil)
)

// NewSource returns what is in the queues of the broker with that configuration. It needs of cnf what NewBroker does;
// what is missing is an ErrConfig of all methods. It connects when it is first used; it implements io.Closer, and Close
// ends the connection. Its options are BrowseQueues and those of package inspect: WithQueues, WithResults,
// WithDeadLetters, WithVerify, WithMaxMessage, WithManagement and WithName (default "rabbitmq").
//
// AMQP tells how many tasks wait in a queue, how many workers take them, and how many dead letters there are: of the
// default queue and those of inspect.WithQueues. inspect.WithManagement finds queues by itself, which are those that
// are bound to the exchange, and tells of them how many tasks workers have, those included that are only handed out to
// them, and since when the oldest one waits, in a classic queue. It lists workers; those of a paused queue are not
// among them, and what a worker runs RabbitMQ does not know. States and groups are those of inspect.WithResults.
//
// RabbitMQ hands out messages, and has nothing that shows them. So these are inspect.ErrUnsupported: lists of tasks that
// run, were put back or are delayed, RunNow, and the tasks that wait, unless with BrowseQueues in a classic queue.
// Delete takes out the tasks of classic queues as BrowseQueues does, and finds none that is handed out or delayed.
// Letters looks as DeadLetters do, and up to 1,000 deep.
//
// Pause is kept in the queue of the same name with .pause at the end, which holds a message while it lasts, and which
// workers of this package ask about every second. What was handed out to them and does not run goes back.
func NewSource(cnf *config.Config, opts ...inspect.SourceOption) inspect.Source {
	s := &source{
		SourceSettings: inspect.NewSourceSettings(opts),
		topology:       topology{cnf: cnf},
		publisher:      newPublisher(endpointOf(cnf), defaultPublishTimeout),
		looking:        newMutex(),
		letters:        make(map[string]*DeadLetters),
	}
	if s.SourceSettings.Name == "" {
		s.SourceSettings.Name = "rabbitmq"
	}
	s.MaxMessage = cmp.Or(s.MaxMessage, delivery.DefaultMaxMessage)
	s.err = s.topology.check()
	if s.SourceSettings.Err != nil {
		s.err = errors.Join(s.err, fmt.Errorf("%w: %w", ErrConfig, s.SourceSettings.Err))
	}
	if s.Management != "" {
		s.err = errors.Join(s.err, s.openManagement())
	}
	return s
}

func (s *source) openManagement() error {
	uri, err := amqp.ParseURI(s.publisher.endpoint.urls[0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, withoutURL(err))
	}
	s.management, err = management.New(s.Management, uri.Vhost, s.publisher.endpoint.tls)
	if err != nil {
		return fmt.Errorf("%w: WithManagement: %w", ErrConfig, err)
	}
	return nil
}

// Name returns that of inspect.WithName, or "rabbitmq".
func (s *source) Name() string { return s.SourceSettings.Name }

// Close ends the connection. All other methods return ErrClosed from then on.
func (s *source) Close() error {
	if s.management != nil {
		s.management.Close()
	}
	return s.publisher.close()
}

// TaskState returns the state that inspect.WithResults knows.
func (s *source) TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error) {
	switch {
	case s.err != nil:
		return nil, s.err
	case s.Results == nil:
		return nil, errNoResults
	}
	return s.Results.TaskState(ctx, uuid)
}

// Group returns the group that inspect.WithResults knows.
func (s *source) Group(ctx context.Context, uuid string, page inspect.Page) (inspect.Group, error) {
	switch {
	case s.err != nil:
		return inspect.Group{}, s.err
	case s.Results == nil:
		return inspect.Group{}, errNoResults
	}
	return s.Results.Group(ctx, uuid, page)
}

var errNoResults = unsupported("RabbitMQ keeps tasks, and no states or groups: say where they are by inspect.WithResults")

// DeadLetters returns those of inspect.WithDeadLetters, or else those of the queue.
func (s *source) DeadLetters(queue string) (deadletter.Store, error) {
	if err := s.check(context.Background(), queue); err != nil {
		return nil, err
	}
	if s.SourceSettings.DeadLetters != nil {
		return s.SourceSettings.DeadLetters, nil
	}
	return s.lettersOf(queue), nil
}

// lettersOf returns the letters that a queue has of its own.
func (s *source) lettersOf(queue string) *DeadLetters {
	s.mu.Lock()
	defer s.mu.Unlock()
	letters := s.letters[queue]
	if letters == nil {
		letters = newDeadLetters(s.publisher, queue+deadSuffix)
		letters.verify, letters.maxMessage = s.Verify, s.MaxMessage
		letters.belongTo(s.topology)
		s.letters[queue] = letters
	}
	return letters
}

// RunNow returns inspect.ErrUnsupported.
func (s *source) RunNow(context.Context, string) error { return cmp.Or(s.err, errDelayed) }

var errDelayed = unsupported("delayed tasks wait inside RabbitMQ, which hands out none of them before its time")

// unsupported returns an ErrUnsupported that says why.
func unsupported(why string) error { return fmt.Errorf("%w: %s", inspect.ErrUnsupported, why) }

// missingFor is how long a queue is taken for missing that was not there. RabbitMQ logs an error for each question
// about one.
const missingFor = 10 * time.Second

// missingQueues are queues that were not there a moment ago. Most queues have no dead letters.
type missingQueues struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func (m *missingQueues) has(queue string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.seen[queue]) < missingFor
}

func (m *missingQueues) add(queue string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil || len(m.seen) > maxSettled {
		m.seen = make(map[string]time.Time)
	}
	m.seen[queue] = time.Now()
}

func (m *missingQueues) remove(queue string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, queue)
}
