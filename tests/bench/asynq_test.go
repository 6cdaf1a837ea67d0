package main

import (
	"context"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

// asynqQueue is asynq with results that are kept as long as the others'.
type asynqQueue struct {
	options   asynq.RedisClientOpt
	client    *asynq.Client
	inspector *asynq.Inspector
	redis     *redis.Client
	name      string
	sent      []string // IDs
}

func newAsynqQueue(b *testing.B) taskQueue {
	b.Helper()
	options := redisOptions(b)
	q := &asynqQueue{
		options: asynq.RedisClientOpt{Addr: options.Addr, DB: options.DB, Username: options.Username, Password: options.Password},
		redis:   redis.NewClient(options),
		name:    "bench-" + uuid.NewString(),
	}
	q.client, q.inspector = asynq.NewClient(q.options), asynq.NewInspector(q.options)
	b.Cleanup(func() {
		_ = q.client.Close()
		_ = q.inspector.DeleteQueue(q.name, true) // there is none where nothing was sent
		_ = q.inspector.Close()
		_ = q.redis.Close()
	})
	return q
}

func (q *asynqQueue) sendAll(b *testing.B, n, senders int) {
	q.sent = make([]string, n)
	share(n, senders, func(i int) {
		info, err := q.client.Enqueue(asynq.NewTask("task", []byte("1"), asynq.Queue(q.name), asynq.Retention(time.Minute)))
		if err != nil {
			b.Error(err)
			return
		}
		q.sent[i] = info.ID
	})
}

func (q *asynqQueue) waiting(b *testing.B) int {
	info, err := q.inspector.GetQueueInfo(q.name)
	if err != nil {
		b.Fatal(err)
	}
	return info.Pending
}

func (q *asynqQueue) work(b *testing.B, concurrency int, done func()) {
	server := asynq.NewServer(q.options, asynq.Config{
		Concurrency: concurrency, Queues: map[string]int{q.name: 1}, LogLevel: asynq.FatalLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		defer done()
		_, err := task.ResultWriter().Write(task.Payload())
		return err
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Shutdown)
}

func (q *asynqQueue) kept(*testing.B) int {
	return countAll(q.sent, func(id string) bool {
		info, err := q.inspector.GetTaskInfo(q.name, id)
		return err == nil && info.State == asynq.TaskStateCompleted && string(info.Result) == "1"
	})
}

func (q *asynqQueue) serverCPU(b *testing.B) time.Duration { return redisCPU(b, q.redis) }
