package lifecycle

import (
	"github.com/RichardKnop/machinery/v2"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
)

// BrokerOf returns the broker of a worker's server, below all that decorates it, where it is a B.
func BrokerOf[B brokersiface.Broker](worker *machinery.Worker) (broker B, ok bool) {
	broker, ok = undecorated(worker.GetServer().GetBroker()).(B)
	return broker, ok
}

func undecorated(b brokersiface.Broker) brokersiface.Broker {
	for {
		decorator, ok := b.(interface{ Unwrap() brokersiface.Broker })
		if !ok {
			return b
		}
		b = decorator.Unwrap()
	}
}
