package redisadapter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	// headBytes is how much is read of a message of which only the names of its task are asked.
	headBytes = 2 << 10
	// maxRuns bounds how many tasks are listed that a worker runs of a queue.
	maxRuns = 1000
)

// Workers returns those whose heartbeat is not overdue, those that have started first before the others.
func (s *source) Workers(ctx context.Context) ([]inspect.Worker, error) {
	queues, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*inspect.Worker)
	for _, queue := range lists(queues) {
		consumers, err := s.consumers(ctx, queue)
		if err != nil {
			return nil, err
		}
		for _, c := range consumers {
			if c.due.Before(now) {
				continue
			}
			runs, err := s.runs(ctx, queue, c)
			if err != nil {
				return nil, fmt.Errorf("workers of queue %s: %w", queue, err)
			}
			addConsumer(byID, queueOfShard(queue), c, runs)
		}
	}
	return sorted(byID), nil
}

// addConsumer adds a consumer to its worker.
func addConsumer(byID map[string]*inspect.Worker, queue string, c liveConsumer, runs []inspect.Run) {
	id := c.workerID()
	w := byID[id]
	if w == nil {
		r := c.report
		w = &inspect.Worker{ID: id, Host: r.Host, Process: r.Process, Queues: r.Queues, Concurrency: r.Concurrency, Started: r.Started}
		byID[id] = w
	}
	if !slices.Contains(w.Queues, queue) {
		w.Queues = append(w.Queues, queue)
	}
	if beat := c.beat(); beat.After(w.Beat) {
		w.Beat = beat
	}
	w.Running = append(w.Running, runs...)
}

// beat is when the consumer was last heard of, zero where it does not tell how often it beats.
func (c liveConsumer) beat() time.Time {
	if c.report.Timeout == 0 {
		return time.Time{}
	}
	return c.due.Add(-time.Duration(c.report.Timeout) * time.Millisecond).UTC()
}

// runs returns what a consumer has taken, and since when it runs that as far as it has reported.
func (s *source) runs(ctx context.Context, queue string, c liveConsumer) ([]inspect.Run, error) {
	since := make(map[string]time.Time, len(c.report.Running))
	for _, run := range c.report.Running {
		since[run.UUID] = run.Since
	}
	keys := keysOf(queue)
	taken := place{state: inspect.Running, queue: queue, key: keys.processing(c.id)}
	var runs []inspect.Run
	for r := (reading{follow: unknownFollow, want: maxRuns, cut: headBytes}); r.want > 0; {
		got, err := s.read(ctx, &taken, r)
		if err != nil {
			return nil, err
		}
		for _, e := range got.entries {
			head := readHead(e.beginning)
			runs = append(runs, inspect.Run{UUID: head.UUID, Name: head.Name, Queue: queueOfShard(queue), Since: since[head.UUID]})
		}
		if r.want -= len(got.entries); len(got.entries) == 0 || got.next >= got.length {
			break
		}
		r.from = got.next
	}
	return runs, nil
}

func sorted(byID map[string]*inspect.Worker) []inspect.Worker {
	workers := make([]inspect.Worker, 0, len(byID))
	for _, w := range byID {
		workers = append(workers, *w)
	}
	slices.SortFunc(workers, func(a, b inspect.Worker) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return workers
}
