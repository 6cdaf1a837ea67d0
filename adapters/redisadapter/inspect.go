package redisadapter

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// GetPendingTasks returns the tasks that wait in the queue, next one first; of the default queue when the name is
// empty. It takes nothing out. A message that is no task is an error.
func (b *broker) GetPendingTasks(queue string) ([]*tasks.Signature, error) {
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	messages, err := b.client.LRange(context.Background(), queue, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("pending tasks of %s: %w", queue, err)
	}
	return decodeTasks(queue, messages)
}

// GetDelayedTasks returns the tasks that wait for their ETA, next one first. It takes nothing out. A message that is
// no task is an error.
func (b *broker) GetDelayedTasks() ([]*tasks.Signature, error) {
	messages, err := b.client.ZRange(context.Background(), b.delayed.key, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("delayed tasks: %w", err)
	}
	return decodeTasks(b.delayed.key, messages)
}

func decodeTasks(source string, messages []string) ([]*tasks.Signature, error) {
	signatures := make([]*tasks.Signature, len(messages))
	for i, message := range messages {
		signature, err := decodeTask(message)
		if err != nil {
			return nil, fmt.Errorf("message %d of %s: %w", i, source, err)
		}
		signatures[i] = signature
	}
	return signatures, nil
}
