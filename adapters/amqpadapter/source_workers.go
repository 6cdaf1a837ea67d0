package amqpadapter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter/internal/management"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

var errNoWorkers = unsupported("AMQP does not tell who consumes a queue; RabbitMQ's management plugin does, " +
	"see inspect.WithManagement")

// Workers returns the workers that consume a queue of Queues at present, by ID. Of Machinery's own ones it knows the
// address alone. It needs inspect.WithManagement.
func (s *source) Workers(ctx context.Context) ([]inspect.Worker, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.management == nil {
		return nil, errNoWorkers
	}
	queues, err := s.names(ctx)
	if err != nil {
		return nil, fmt.Errorf("workers on rabbitmq: %w", err)
	}
	consumers, err := s.management.Consumers(ctx)
	if err != nil {
		return nil, fmt.Errorf("workers on rabbitmq: %w", err)
	}
	return workersOf(consumers, queues), nil
}

// workersOf makes one worker of the consumers of a channel that have one tag. The queue beside a queue has the same.
func workersOf(consumers []management.Consumer, queues []string) []inspect.Worker {
	var workers []inspect.Worker
	places := make(map[string]int) // by ID
	for _, c := range consumers {
		if !slices.Contains(queues, c.Queue) {
			continue
		}
		worker := workerOf(c)
		place, known := places[worker.ID]
		if !known {
			places[worker.ID] = len(workers)
			workers = append(workers, worker)
			continue
		}
		workers[place].Queues = append(workers[place].Queues, c.Queue)
	}
	slices.SortFunc(workers, func(a, b inspect.Worker) int { return strings.Compare(a.ID, b.ID) })
	return workers
}

func workerOf(c management.Consumer) inspect.Worker {
	w := inspect.Worker{
		ID:          strings.TrimPrefix(c.Tag+"@"+c.Channel, "@"),
		Host:        c.Arguments.Text(hostArgument),
		Process:     c.Arguments.Count(processArgument),
		Queues:      []string{c.Queue},
		Concurrency: c.Arguments.Count(concurrencyArgument),
		Started:     c.Arguments.Time(startedArgument),
	}
	if w.Host == "" {
		w.Host = c.Peer
	}
	return w
}
