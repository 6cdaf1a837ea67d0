package amqpadapter_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// hashed are configurations with a queue each, to which one exchange spreads tasks by a hash of their routing keys.
func hashed(t *testing.T, queues int) []*config.Config {
	t.Helper()
	configs := make([]*config.Config, queues)
	for i := range configs {
		configs[i] = rabbitMQ(t)
		configs[i].AMQP.Exchange = configs[0].AMQP.Exchange
		configs[i].AMQP.ExchangeType, configs[i].AMQP.BindingKey = "x-consistent-hash", "1"
	}
	err := dial(t, configs[0].Broker).
		ExchangeDeclare(configs[0].AMQP.Exchange, configs[0].AMQP.ExchangeType, true, false, false, false, nil)
	if refused := new(amqp.Error); errors.As(err, &refused) {
		services.Missing(t, "this RabbitMQ has no plugin rabbitmq_consistent_hash_exchange: %v", err)
	}
	require.NoError(t, err)
	return configs
}

// Each of the workers has a queue. Some tasks are delayed, and some fail once.
func TestConsistentHashExchangeSpreadsTasksOverQueues(t *testing.T) {
	t.Parallel()
	configs := hashed(t, 2)
	var failed sync.Map
	seen := make([]journal, len(configs))
	for i, cnf := range configs {
		work(t, newBroker(t, cnf), 2, &processor{Func: func(s *tasks.Signature) error {
			if _, before := failed.LoadOrStore(s.UUID, true); !before && s.Args[0].Value == "fails" {
				return errors.New("not yet")
			}
			return seen[i].Add(s)
		}})
	}
	sender := newBroker(t, configs[0])
	var uuids []string
	for i := range 60 {
		s := task("add", fmt.Sprint("task_", i))
		s.RoutingKey = s.UUID
		s.Args = []tasks.Arg{{Type: "string", Value: [...]string{"ends", "fails"}[i%2]}}
		if i%3 == 0 {
			eta := time.Now().Add(10 * time.Millisecond)
			s.ETA = &eta
		}
		publish(t, sender, s)
		uuids = append(uuids, s.UUID)
	}
	all := func() []string { return append(seen[0].UUIDs(), seen[1].UUIDs()...) }
	eventually(t, func() bool { return len(all()) >= len(uuids) })
	require.ElementsMatch(t, uuids, all())
	require.NotZero(t, seen[0].Len())
	require.NotZero(t, seen[1].Len())
}
