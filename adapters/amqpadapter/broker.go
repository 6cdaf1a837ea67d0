package amqpadapter

import (
	"sync"

	machineryamqp "github.com/RichardKnop/machinery/v2/brokers/amqp"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
)

// BrokerOption changes how a broker works. There are none yet.
type BrokerOption func(*broker)

// broker is Machinery's own, which panics when it is stopped a second time: two workers of one server would do that.
type broker struct {
	*machineryamqp.Broker
	stopping sync.Once
}

// NewBroker returns a broker that keeps its queues in RabbitMQ, where Machinery's own AMQP broker keeps them.
//
// Of cnf it needs Broker, DefaultQueue and AMQP, and uses MultipleBrokerSeparator and TLSConfig where they are set.
// It connects when it is first used: a RabbitMQ that cannot be reached is an error of Publish and StartConsuming.
//
// All workers of a server share its broker. Quit of one stops them all, for good, and waits for what they run; the
// Quit of the others then does no harm. Connections for publishing stay open until CloseConnections is called, which
// the broker has beside the methods of Machinery's interface.
func NewBroker(cnf *config.Config, opts ...BrokerOption) brokersiface.Broker {
	b := &broker{Broker: machineryamqp.New(cnf).(*machineryamqp.Broker)}
	for _, option := range opts {
		option(b)
	}
	return b
}

// StopConsuming stops every consumer of this broker and returns when the last task has ended. It may be called more
// than once, and before anything was started.
func (b *broker) StopConsuming() {
	b.stopping.Do(b.Broker.StopConsuming)
}
