package redis_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// workerVariable makes the test binary a worker on the Redis that it names.
	workerVariable = "FAULTS_WORKER_REDIS"

	concurrency      = 4
	heartbeatTimeout = time.Second
	// deliveryLimit leaves room for bystanders of a task that kills its worker.
	deliveryLimit = 6

	queue          = "faults"
	effectsKey     = "effects"
	deadLettersKey = "dead-letters"

	stepTask = "step"
	killTask = "kill"
)

// Step is one task of a chain.
type Step struct {
	Chain int
	Index int
}

func (s Step) String() string { return fmt.Sprintf("%d/%d", s.Chain, s.Index) }

func TestMain(m *testing.M) {
	if address := os.Getenv(workerVariable); address != "" {
		if err := runWorker(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runWorker is a worker process. It does not outlive the test that started it, whose end closes its input.
func runWorker(address string) error {
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	m, err := newMiddleware(client)
	if err != nil {
		return err
	}
	step := func(ctx context.Context, s Step) (Step, error) {
		time.Sleep(rand.N(4 * time.Millisecond)) // it works
		s.Index++
		// That Redis is away for a while is no failure of the task.
		for client.HIncrBy(ctx, effectsKey, s.String(), 1).Err() != nil {
			time.Sleep(tick)
		}
		return s, nil
	}
	kill := func(context.Context, Step) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	if err := m.RegisterTasks(map[string]any{stepTask: step, killTask: kill}); err != nil {
		return err
	}
	worker := m.NewWorker("worker", concurrency)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		worker.Quit()
	}()
	return worker.Launch()
}

func newMiddleware(client *redis.Client) (*middleware.Middleware, error) {
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
	registry := envelope.NewRegistry()
	envelope.MustRegister[Step](registry, "faults.Step")
	letters := redisadapter.NewDeadLetters(client, deadLettersKey)
	broker := redisadapter.NewBroker(cnf, client,
		redisadapter.WithHeartbeatTimeout(heartbeatTimeout),
		redisadapter.WithDeliveryLimit(deliveryLimit),
		redisadapter.WithDeadLetters(letters))
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New())
	return middleware.Install(server, registry, middleware.WithDeadLetters(letters))
}
