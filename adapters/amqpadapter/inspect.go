package amqpadapter

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
)

// GetPendingTasks returns the tasks that wait in the queue, next one first; of the default queue when the name is empty.
// A message that is no task is an error, and so is a queue that does not exist.
//
// It takes the tasks out and puts them back in their old places: no worker gets them meanwhile, and RabbitMQ marks them
// as redelivered, which does not count as an attempt. It does not return tasks that workers have taken already, wait for
// their ETA, or came a second time.
func (b *broker) GetPendingTasks(queue string) ([]*tasks.Signature, error) {
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	var pending []*tasks.Signature
	err := b.publisher.use(context.Background(), func(channel *amqp.Channel) error {
		found, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			return err
		}
		for i := range found.Messages {
			d, ok, err := channel.Get(queue, false)
			if err != nil || !ok {
				return err
			}
			task, err := decodeTask(d.Body)
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			pending = append(pending, task)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pending tasks of %s: %w", queue, err)
	}
	return pending, nil
}
