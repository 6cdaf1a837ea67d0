package redisadapter

import (
	"github.com/RichardKnop/machinery/v2"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// Quit stops one worker, waits for the tasks that it runs, and leaves the others of its server at work; worker.Quit
// stops them all. A worker is known by its consumer tag and its queue: others that have both in common stop with it.
// Neither it nor a new one with both starts again on this broker: Launch returns at once. The error is ErrForeignBroker
// or nil.
func Quit(worker *machinery.Worker) error {
	b, ok := lifecycle.BrokerOf[*broker](worker)
	if !ok {
		return ErrForeignBroker
	}
	b.workers.StopOne(lifecycle.Name{Tag: worker.ConsumerTag, Queue: b.queueOf(worker.CustomQueue())})
	return nil
}
