package redisadapter

import (
	"crypto/rand"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// worker is what runs from StartConsuming to StopConsuming. It has a consumer for each queue, or for each of its shards.
type worker struct {
	consumers   []*consumer
	executing   *executing
	pool        *pool
	lifecycle   *lifecycle.Worker
	stopTimeout time.Duration
	checkServer func()
	logger      *slog.Logger // has the queues
}

func newWorker(b *broker, l *lifecycle.Worker, queues []queueShare, concurrency int, p brokersiface.TaskProcessor) *worker {
	if concurrency < 1 {
		concurrency = runtime.NumCPU() * 2
	}
	names := namesOf(queues)
	w := &worker{
		executing:   new(executing),
		pool:        new(pool),
		lifecycle:   l,
		stopTimeout: b.settings.stopTimeout,
		logger:      b.settings.logger.With("queue", strings.Join(names, ",")),
	}
	w.checkServer = func() {
		b.checked.Do(func() {
			checkServer(l.Stopping(), b.client, b.settings.logger)
			b.checkPermissions(l.Stopping(), names[0])
		})
	}
	shared := sharedParts{
		identity:  newWorkerIdentity(rand.Text(), names, concurrency),
		processor: p,
		executing: w.executing,
		pool:      w.pool,
		breaker:   &breaker{pauses: b.settings.backoff, logger: w.logger},
		ready:     oneAtATime(p.PreConsumeHandler),
	}
	shards := b.shardsOf(queues)
	slots := newSlots(concurrency, shards)
	for i, shard := range shards {
		w.consumers = append(w.consumers, newConsumer(b, l, shard.name, slots.shares[i], shared))
	}
	// One of them sees to the delayed tasks, which belong to no queue.
	w.consumers[0].releaser.claim = &claim{delayedTasks: &b.delayed, claimant: w.consumers[0].processing.consumer}
	return w
}

func namesOf(queues []queueShare) []string {
	names := make([]string, len(queues))
	for i, queue := range queues {
		names[i] = queue.name
	}
	return names
}

// oneAtATime is for an application's function that expects to be called by one goroutine.
func oneAtATime(ask func() bool) func() bool {
	var mu sync.Mutex
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return ask()
	}
}

// run returns when the worker has ended or, after a stop, when its tasks have and Redis has not answered for
// stopTimeout: then the rest ends when Redis answers, or the client gives up. The error is that of registering.
func (w *worker) run() error {
	ended := make(chan error, 1)
	go func() {
		defer w.leaveWaits()
		err := w.register()
		if err == nil {
			w.work()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-w.lifecycle.Stopping().Done():
	}
	for idle := false; !idle; idle = w.executing.idle() {
		select {
		case err := <-ended:
			return err
		case <-w.executing.ended():
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(w.stopTimeout):
		}
	}
	w.logger.Warn("stopped while redis does not answer: other workers take over what this one has left")
	return nil
}

// register makes all consumers known, or none.
func (w *worker) register() error {
	for i, c := range w.consumers {
		if err := c.register(); err != nil {
			for _, registered := range w.consumers[:i] {
				registered.leave()
			}
			if isRefused(err) {
				w.checkServer()
			}
			return err
		}
	}
	w.checkServer()
	return nil
}

// work returns when all consumers have ended, and all goroutines that ran tasks.
func (w *worker) work() {
	defer w.pool.close()
	var working sync.WaitGroup
	for _, c := range w.consumers {
		working.Go(c.work)
	}
	working.Wait()
}

func (w *worker) leaveWaits() {
	for _, c := range w.consumers {
		c.leaveWaits()
	}
}
