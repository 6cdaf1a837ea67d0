package redis_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
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
	// backendVariable names the Redis of the worker's results.
	backendVariable = "FAULTS_WORKER_BACKEND"
	// expiryVariable is ResultsExpireIn, in seconds.
	expiryVariable = "FAULTS_RESULTS_EXPIRE_IN"
	// chordExpiryVariable is the backend's WithChordExpiry.
	chordExpiryVariable = "FAULTS_CHORD_EXPIRY"
	// heartbeatVariable is the broker's WithHeartbeatTimeout, heartbeatTimeout where it is not set.
	heartbeatVariable = "FAULTS_HEARTBEAT_TIMEOUT"
	// queuesVariable has workers take from three queues, by priority, where it is set.
	queuesVariable = "FAULTS_QUEUES"
	// shardsVariable is the broker's WithShards, where it is set.
	shardsVariable = "FAULTS_SHARDS"

	concurrency      = 4
	heartbeatTimeout = time.Second
	// firstPause and lastPause let a task be tried in an outage more often than deliveryLimit allows, were it counted.
	firstPause = 10 * time.Millisecond
	lastPause  = 100 * time.Millisecond
	// retryTimeout has the backend report an outage that lasts.
	retryTimeout = 100 * time.Millisecond
	// deliveryLimit leaves room for bystanders of a task that kills its worker.
	deliveryLimit = 6

	queue          = "faults"
	effectsKey     = "effects"
	deadLettersKey = "dead-letters"

	stepTask = "step"
	killTask = "kill"
	holdTask = "hold"
	joinTask = "join"

	// releaseKey ends hold tasks where it is there.
	releaseKey = "release"
)

// countEffect counts on a full Redis too: once a script has written, Redis refuses it nothing for want of memory.
var countEffect = redis.NewScript(`
redis.call('PERSIST', KEYS[1])
return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
`)

// Step is one task of a chain.
type Step struct {
	Chain int
	Index int
}

func (s Step) String() string { return fmt.Sprintf("%d/%d", s.Chain, s.Index) }

func TestMain(m *testing.M) {
	if address := os.Getenv(workerVariable); address != "" {
		if err := runWorker(address, os.Getenv(backendVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if address := os.Getenv(senderVariable); address != "" {
		fmt.Fprintln(os.Stderr, "sender was not killed:", runSender(address))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runWorker is a worker process. It does not outlive the test that started it, whose end closes its input.
func runWorker(address, backend string) error {
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	results := redis.NewClient(&redis.Options{Addr: backend})
	defer func() { _ = results.Close() }()
	worker, err := newWorker(client, results)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		worker.Quit()
	}()
	return worker.Launch()
}

// newWorker returns a worker that knows all tasks.
func newWorker(client, results *redis.Client) (*machinery.Worker, error) {
	m, err := newMiddleware(client, results)
	if err != nil {
		return nil, err
	}
	step := func(ctx context.Context, s Step) (Step, error) {
		time.Sleep(rand.N(4 * time.Millisecond)) // it works
		s.Index++
		// That Redis is away for a while is no failure of the task.
		for countEffect.Run(ctx, client, []string{effectsKey}, s.String()).Err() != nil {
			time.Sleep(tick)
		}
		return s, nil
	}
	kill := func(context.Context, Step) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	hold := func(ctx context.Context, s Step) (Step, error) {
		for client.Exists(ctx, releaseKey).Val() == 0 {
			time.Sleep(tick)
		}
		return step(ctx, s)
	}
	join := func(ctx context.Context, steps ...Step) (int, error) {
		_, err := step(ctx, Step{Chain: -1})
		return len(steps), err
	}
	all := map[string]any{stepTask: step, killTask: kill, holdTask: hold, joinTask: join}
	if err := m.RegisterTasks(all); err != nil {
		return nil, err
	}
	return m.NewWorker("worker", concurrency), nil
}

func newMiddleware(client, results *redis.Client) (*middleware.Middleware, error) {
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
	if expiry, err := strconv.Atoi(os.Getenv(expiryVariable)); err == nil {
		cnf.ResultsExpireIn = expiry
	}
	registry := envelope.NewRegistry()
	envelope.MustRegister[Step](registry, "faults.Step")
	letters := redisadapter.NewDeadLetters(client, deadLettersKey)
	heartbeat, err := time.ParseDuration(os.Getenv(heartbeatVariable))
	if err != nil {
		heartbeat = heartbeatTimeout
	}
	options := []redisadapter.BrokerOption{
		redisadapter.WithHeartbeatTimeout(heartbeat),
		redisadapter.WithMaxAttempts(deliveryLimit),
		redisadapter.WithBackoff(firstPause, lastPause),
		redisadapter.WithDeadLetters(letters),
	}
	if os.Getenv(queuesVariable) != "" {
		weights := map[string]int{queue: 3, queue + "-2": 2, queue + "-3": 1}
		options = append(options, redisadapter.WithQueueWeights(weights), redisadapter.WithPriorities())
	}
	if shards, err := strconv.Atoi(os.Getenv(shardsVariable)); err == nil {
		options = append(options, redisadapter.WithShards(shards))
	}
	broker := redisadapter.NewBroker(cnf, client, options...)
	backendOptions := []redisadapter.BackendOption{redisadapter.WithRetryTimeout(retryTimeout)}
	if expiry, err := time.ParseDuration(os.Getenv(chordExpiryVariable)); err == nil {
		backendOptions = append(backendOptions, redisadapter.WithChordExpiry(expiry))
	}
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, results, backendOptions...), eagerlock.New())
	return middleware.Install(server, registry, middleware.WithDeadLetters(letters))
}

// runHere runs workers in this process until the test ends.
func runHere(t *testing.T, workers ...*machinery.Worker) {
	t.Helper()
	ended := make(chan error, len(workers))
	for _, worker := range workers {
		worker.LaunchAsync(ended)
	}
	t.Cleanup(func() {
		workers[0].Quit()
		for range workers {
			<-ended
		}
	})
}
