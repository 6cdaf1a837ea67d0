package amqpadapter_test

import (
	"crypto/rand"
	"io"
	"net/url"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/duequeue"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{
		ErrTooManyAttempts: amqpadapter.ErrTooManyAttempts,
		ErrConfig:          amqpadapter.ErrConfig,
		ErrClosed:          amqpadapter.ErrClosed,
		ErrForeignBroker:   amqpadapter.ErrForeignBroker,
		Quit:               amqpadapter.Quit,
		Servers: []adaptertest.Server{{
			Name: "RabbitMQ",
			New:  func(t *testing.T) adaptertest.Site { return newContractSite(t, services.AMQP(t)) },
		}, {
			Name: "RabbitMQ with quorum queues",
			New:  func(t *testing.T) adaptertest.Site { return newContractSite(t, services.QuorumAMQP(t)) },
			Exceptions: becauseOf("each look counts as a delivery in a quorum queue",
				"PendingTasksAreListedAndStay", "ListingReportsAMessageThatIsNoTask", "WaitingTasksAreListedInPagesAndStay",
				"ListShowsAMessageThatIsNoTask", "ListCutsALargeMessageShort", "WaitingTaskIsFound", "UnknownTaskIsNotFound",
				"DeletedTaskThatWaitedDoesNotRun"),
		}},
		Exceptions: map[string]string{
			"WorkerTakesNothingWhilePreConsumeHandlerRefuses": "RabbitMQ hands out tasks without being asked for them",
			"QueueIsCounted":                          "RabbitMQ hands out more tasks than run, as PrefetchCount says",
			"StateOfATaskIsTold":                      "Machinery's eager backend, which stands for all, forgets the name of the task",
			"MembersOfAGroupAreListedWithTheirStates": "backends of Machinery tell nothing of a group in which a state is missing",
		},
		Unsupported: map[string]string{
			"Running":                   "AMQP counts only what waits",
			"PutBack":                   "tasks of all queues wait together",
			"Delayed":                   "tasks of all queues wait together",
			"Workers":                   "AMQP does not tell who consumes",
			"Workers of a paused queue": "they do not consume",
			"Tasks(running)":            "RabbitMQ does not show what it has handed out",
			"Tasks(put-back)":           "RabbitMQ hands out no task before its time",
			"Tasks(delayed)":            "RabbitMQ hands out no task before its time",
			"Done":                      "AMQP counts only what waits",
			"RunNow":                    "RabbitMQ hands out no task before its time",
		},
	})
}

// becauseOf gives all clauses one reason.
func becauseOf(reason string, clauses ...string) map[string]string {
	exceptions := make(map[string]string)
	for _, clause := range clauses {
		exceptions[clause] = reason
	}
	return exceptions
}

// contractSite has an exchange and queues on the real RabbitMQ that no other test uses.
type contractSite struct {
	cnf        *config.Config // past the network
	through    *config.Config
	network    *adaptertest.Network
	connection *amqp.Connection // past the adapter
	backend    backendsiface.Backend

	mu      sync.Mutex
	letters map[string]*amqpadapter.DeadLetters
}

func newContractSite(t *testing.T, address string) *contractSite {
	t.Helper()
	name := "test-" + rand.Text()
	s := &contractSite{
		network: adaptertest.NewNetwork(),
		backend: eager.New(),
		letters: make(map[string]*amqpadapter.DeadLetters),
		cnf: &config.Config{
			Broker:        address,
			ResultBackend: address,
			DefaultQueue:  name,
			NoUnixSignals: true,
			AMQP: &config.AMQPConfig{
				Exchange:      name,
				ExchangeType:  "direct",
				BindingKey:    name + "-key",
				PrefetchCount: 10,
			},
		},
	}
	through := *s.cnf
	s.through = &through
	target, err := url.Parse(address)
	require.NoError(t, err)
	target.Host = s.network.Proxy(t, target.Host)
	s.through.Broker = target.String()

	s.connection, err = amqp.Dial(address)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.remove(t)
		require.NoError(t, s.connection.Close())
	})
	return s
}

func (s *contractSite) remove(t *testing.T) {
	channel := s.channel(t)
	for _, queue := range []string{s.cnf.DefaultQueue, adaptertest.CustomQueue(s.cnf)} {
		for _, suffix := range []string{"", ".redelivered", ".dead", ".pause", ".own"} {
			_, err := channel.QueueDelete(queue+suffix, false, false, false)
			require.NoError(t, err)
		}
	}
	duequeue.Delete(t, s.connection, s.cnf.AMQP.Exchange)
	require.NoError(t, channel.ExchangeDelete(s.cnf.AMQP.Exchange, false, false))
}

func (s *contractSite) channel(t *testing.T) *amqp.Channel {
	t.Helper()
	channel, err := s.connection.Channel()
	require.NoError(t, err)
	return channel
}

func (s *contractSite) Config() *config.Config        { return s.through }
func (s *contractSite) RoutingKey() string            { return s.cnf.AMQP.BindingKey }
func (s *contractSite) Network() *adaptertest.Network { return s.network }

func (s *contractSite) NewBroker(t *testing.T, o adaptertest.Options) brokersiface.Broker {
	t.Helper()
	opts := []amqpadapter.BrokerOption{
		amqpadapter.WithPublishTimeout(adaptertest.Timeout), amqpadapter.WithStopTimeout(adaptertest.Timeout),
	}
	if o.MaxAttempts != nil {
		opts = append(opts, amqpadapter.WithMaxAttempts(*o.MaxAttempts))
	}
	if o.MaxMessage != nil {
		opts = append(opts, amqpadapter.WithMaxMessage(*o.MaxMessage))
	}
	if o.Backoff != nil {
		opts = append(opts, amqpadapter.WithBackoff(o.Backoff.First, o.Backoff.Last))
	}
	if o.PublishTimeout != nil {
		opts = append(opts, amqpadapter.WithPublishTimeout(*o.PublishTimeout))
	}
	if o.DeadLetters != nil {
		opts = append(opts, amqpadapter.WithDeadLetters(o.DeadLetters.(*amqpadapter.DeadLetters)))
	}
	if o.Logger != nil {
		opts = append(opts, amqpadapter.WithLogger(o.Logger))
	}
	broker := amqpadapter.NewBroker(s.through, opts...)
	t.Cleanup(func() { require.NoError(t, broker.(io.Closer).Close()) })
	return broker
}

func (s *contractSite) DeadLetters(t *testing.T) deadletter.Store    { return s.deadLetters(t, ".dead") }
func (s *contractSite) OwnDeadLetters(t *testing.T) deadletter.Store { return s.deadLetters(t, ".own") }

func (s *contractSite) deadLetters(t *testing.T, suffix string) *amqpadapter.DeadLetters {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.letters[suffix] == nil {
		letters, err := amqpadapter.NewDeadLettersOf(t.Context(), s.cnf, s.cnf.DefaultQueue+suffix)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, letters.Close()) })
		s.letters[suffix] = letters
	}
	return s.letters[suffix]
}

func (s *contractSite) NewBackend(*testing.T) backendsiface.Backend { return s.backend }

func (s *contractSite) NewSource(t *testing.T) inspect.Source {
	t.Helper()
	source := amqpadapter.NewSource(s.through, inspect.WithQueues(adaptertest.CustomQueue(s.cnf)),
		inspect.WithResults(inspect.ResultsOf(s.backend)), amqpadapter.BrowseQueues())
	t.Cleanup(func() { require.NoError(t, source.(io.Closer).Close()) })
	return source
}

func (s *contractSite) Enqueue(t *testing.T, queue string, bodies ...[]byte) {
	t.Helper()
	channel := s.channel(t)
	defer channel.Close()
	_, err := channel.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	for _, body := range bodies {
		adaptertest.Eventually(t, func() bool { // a quorum queue that somebody is just making takes nothing yet
			confirmed, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{Body: body})
			require.NoError(t, err)
			return confirmed.Wait()
		})
	}
}

func (s *contractSite) Waiting(t *testing.T, queue string) int {
	t.Helper()
	channel := s.channel(t)
	found, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		return 0 // RabbitMQ has closed the channel
	}
	require.NoError(t, channel.Close())
	return found.Messages
}

func (s *contractSite) Next(t *testing.T, queue string) []byte {
	t.Helper()
	channel := s.channel(t)
	defer channel.Close()
	d, ok, err := channel.Get(queue, true)
	require.NoError(t, err)
	require.True(t, ok, "%s is empty", queue)
	return d.Body
}
