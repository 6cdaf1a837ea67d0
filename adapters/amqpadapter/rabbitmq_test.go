package amqpadapter_test

import (
	"context"
	"crypto/rand"
	"os"
	"testing"
	"time"

	machineryamqp "github.com/RichardKnop/machinery/v2/backends/amqp"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

const (
	patience = 20 * time.Second
	tick     = 2 * time.Millisecond
)

func newConfig(url string) *config.Config {
	name := "test-" + rand.Text()
	return &config.Config{
		Broker:        url,
		ResultBackend: url,
		DefaultQueue:  name,
		AMQP: &config.AMQPConfig{
			Exchange:      "machinery_exchange",
			ExchangeType:  "direct",
			BindingKey:    name,
			PrefetchCount: 3,
			// The queue goes by itself when the test is over.
			QueueDeclareArgs: config.QueueDeclareArgs{"x-expires": 60_000},
		},
	}
}

func offline() *config.Config { return newConfig("amqp://localhost:1/") }

func rabbitMQ(t *testing.T) *config.Config {
	url := os.Getenv("AMQP_URL")
	if url == "" && os.Getenv("CI") == "true" {
		t.Fatal("AMQP_URL is not set: CI must test on a real RabbitMQ")
	}
	if url == "" {
		t.Skip("AMQP_URL is not set: no RabbitMQ to test on")
	}
	return newConfig(url)
}

// processor is a worker without Machinery's server.
type processor func(*tasks.Signature) error

func (p processor) Process(signature *tasks.Signature) error { return p(signature) }
func (p processor) CustomQueue() string                      { return "" }
func (p processor) PreConsumeHandler() bool                  { return true }

func TestBrokerMayBeStoppedTwiceAndBeforeStart(t *testing.T) {
	broker := amqpadapter.NewBroker(offline())
	broker.StopConsuming()
	require.NotPanics(t, broker.StopConsuming)
}

func TestBrokerKeepsTheMethodsOfMachinerys(t *testing.T) {
	broker, ok := amqpadapter.NewBroker(offline()).(interface{ CloseConnections() error })
	require.True(t, ok)
	require.NoError(t, broker.CloseConnections())
}

func TestPublishReportsAnUnreachableRabbitMQ(t *testing.T) {
	broker := amqpadapter.NewBroker(offline())
	err := broker.Publish(context.Background(), &tasks.Signature{Name: "add"})
	require.ErrorContains(t, err, "Dial error")
}

func TestBackendIsOfTheTypeThatMachineryLooksFor(t *testing.T) {
	require.IsType(t, &machineryamqp.Backend{}, amqpadapter.NewBackend(offline()))
}

func TestPublishedTaskReachesTheWorker(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := amqpadapter.NewBroker(cnf)
	broker.SetRegisteredTaskNames([]string{"add"})
	seen, ended := make(chan *tasks.Signature, 1), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = broker.StartConsuming("worker", 1, processor(func(signature *tasks.Signature) error {
			seen <- signature
			return nil
		}))
	}()
	require.NoError(t, broker.Publish(context.Background(), &tasks.Signature{UUID: "a", Name: "add"}))

	require.Eventually(t, func() bool { return len(seen) == 1 }, patience, tick)
	require.Equal(t, "a", (<-seen).UUID)
	broker.StopConsuming()
	broker.StopConsuming()
	<-ended
	require.NoError(t, broker.(interface{ CloseConnections() error }).CloseConnections())
}

func TestBackendHandsAStateOutOnce(t *testing.T) {
	backend := amqpadapter.NewBackend(rabbitMQ(t))
	uuid := "test-" + rand.Text()
	require.NoError(t, backend.SetStatePending(&tasks.Signature{UUID: uuid, Name: "add"}))
	state, err := backend.GetState(uuid)
	require.NoError(t, err)
	require.Equal(t, tasks.StatePending, state.State)
	_, err = backend.GetState(uuid)
	require.Error(t, err)
	require.NoError(t, backend.PurgeState(uuid))
}
