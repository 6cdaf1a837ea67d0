package redisadapter

import (
	"errors"

	"github.com/RichardKnop/machinery/v2"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
)

// ErrForeignBroker is returned by Quit for a worker whose server has another package's broker.
var ErrForeignBroker = errors.New("broker of the server is not redisadapter's")

// Quit stops one worker, waits for the tasks that it runs, and leaves the others of its server at work; worker.Quit
// stops them all. A worker is known by its consumer tag and its queue: others that have both in common stop with it.
// It does not start again. The error is ErrForeignBroker or nil.
func Quit(worker *machinery.Worker) error {
	b, ok := undecorated(worker.GetServer().GetBroker()).(*broker)
	if !ok {
		return ErrForeignBroker
	}
	b.shifts.stopOne(workerName{tag: worker.ConsumerTag, queue: b.queueOf(worker.CustomQueue())})
	return nil
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
