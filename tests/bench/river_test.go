package main

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverFetches is the least that river lets its workers wait between two fetches. With its default of 100 ms a worker of
// concurrency 8 would do 80 tasks a second.
const riverFetches = time.Millisecond

// riverQueue is river with the output of its tasks recorded.
type riverQueue struct {
	server *postgreSQL
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx] // that sends
	name   string
}

func newRiverQueue(b *testing.B) taskQueue {
	b.Helper()
	server, ctx := needPostgreSQL(b), context.Background()
	pool, err := pgxpool.New(ctx, server.url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: noLog()})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		b.Fatal(err)
	}
	client, err := river.NewClient(driver, &river.Config{Logger: noLog()})
	if err != nil {
		b.Fatal(err)
	}
	q := &riverQueue{server, pool, client, "bench-" + uuid.NewString()}
	b.Cleanup(func() {
		if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
			b.Error(err)
		}
	})
	return q
}

func noLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

type riverTask struct {
	N int64 `json:"n"`
}

func (riverTask) Kind() string { return "task" }

func (q *riverQueue) sendAll(b *testing.B, n, senders int) {
	share(n, senders, func(int) {
		if _, err := q.client.Insert(context.Background(), riverTask{1}, &river.InsertOpts{Queue: q.name}); err != nil {
			b.Error(err)
		}
	})
}

func (q *riverQueue) waiting(b *testing.B) int { return q.count(b, "state = 'available'") }

func (q *riverQueue) work(b *testing.B, concurrency int, done func()) {
	running := river.NewWorkers()
	river.AddWorker(running, river.WorkFunc(func(ctx context.Context, job *river.Job[riverTask]) error {
		defer done()
		return river.RecordOutput(ctx, job.Args.N)
	}))
	client, err := river.NewClient(riverpgxv5.New(q.pool), &river.Config{
		Logger: noLog(), Workers: running,
		Queues:        map[string]river.QueueConfig{q.name: {MaxWorkers: concurrency}},
		FetchCooldown: riverFetches, FetchPollInterval: riverFetches,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := client.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := client.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
}

func (q *riverQueue) kept(b *testing.B) int {
	return q.count(b, "state = 'completed' AND metadata->>'output' = '1'")
}

func (q *riverQueue) count(b *testing.B, condition string) (n int) {
	b.Helper()
	row := q.pool.QueryRow(context.Background(), "SELECT count(*) FROM river_job WHERE queue = $1 AND "+condition, q.name)
	if err := row.Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func (q *riverQueue) serverCPU(b *testing.B) time.Duration { return q.server.cpu(b) }
