package redisadapter

import (
	"context"
	"log/slog"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// consumer is a worker's share of one queue. It wires the parts together.
type consumer struct {
	processing   *processing
	inFlight     *inFlight
	runner       *runner
	fetcher      *fetcher
	acknowledger *acknowledger
	heartbeat    *heartbeat
	releaser     *releaser
	delayed      *delayedTasks
	letters      []*DeadLetters // of the queue, and those that the middleware uses
	stopTimeout  time.Duration
	leaveWaits   func()
	// declaresPriorities is set by WithPriorities.
	declaresPriorities bool
	logger             *slog.Logger // has the queue
}

// sharedParts are those that all consumers of a worker have in common.
type sharedParts struct {
	processor brokersiface.TaskProcessor
	executing *executing
	pool      *pool
	breaker   *breaker
	ready     func() bool
	identity  workerIdentity
}

func newConsumer(b *broker, l *lifecycle.Worker, queue string, slots *share, shared sharedParts) *consumer {
	c := &consumer{
		processing:  newProcessing(b.client, queue),
		inFlight:    newInFlight(slots),
		stopTimeout: b.settings.stopTimeout,
		logger:      b.settings.logger.With("queue", queueOfShard(queue)),

		declaresPriorities: b.settings.priorities,
	}
	waits, leaveWaits := joinWaits(b.client, c.logger)
	c.leaveWaits = leaveWaits
	unknown := new(unknownTasks)
	reporter := newReporter(shared.identity, b.settings.heartbeatTimeout)
	c.runner = &runner{
		source:       identityOf(b.client),
		processor:    shared.processor,
		isRegistered: b.IsTaskRegistered,
		maxAttempts:  b.settings.maxAttempts,
		maxMessage:   b.settings.maxMessage,
		lifecycle:    l,
		inFlight:     c.inFlight,
		settler:      newSettler(b, l, c.processing),
		unknown:      unknown,
		breaker:      shared.breaker,
		logger:       c.logger,
		executing:    shared.executing,
		reporter:     reporter,
		pool:         shared.pool,
	}
	c.heartbeat = &heartbeat{
		processing: c.processing,
		reclaimer:  &reclaimer{b.client, c.processing.keys, b.settings.maxAttempts, c.logger},
		reporter:   reporter,
		liveness:   liveness{timeout: b.settings.heartbeatTimeout},
		outage:     b.outage,
		logger:     c.logger,
	}
	c.acknowledger = &acknowledger{processing: c.processing, inFlight: c.inFlight, outage: b.outage}
	c.fetcher = &fetcher{
		processing: c.processing,
		inFlight:   c.inFlight,
		slots:      slots,
		lifecycle:  l,
		outage:     b.outage,
		heartbeat:  c.heartbeat,
		runner:     c.runner,

		acknowledger: c.acknowledger,
		unknown:      unknown,
		breaker:      shared.breaker,
		ready:        shared.ready,
		waits:        waits,
		longWait:     longWait,
		news:         b.delayed.news,
		pollPeriod:   pollPeriod(b.GetConfig()),
	}
	if b.settings.ownSenders {
		c.fetcher.longWait = longWaitForOwn
	}
	c.releaser = newReleaser(b, l, c.processing)
	c.delayed = &b.delayed
	c.letters = []*DeadLetters{b.deadLettersOf(queue), b.deadLettersOf(b.GetConfig().DefaultQueue)}
	return c
}

// register makes the consumer known to others, and its queue to those who look at queues and replay dead letters.
func (c *consumer) register() error {
	if err := c.delayed.noteQueue(context.Background(), c.processing.keys.queue); err != nil {
		return err
	}
	if err := c.processing.joinPause(context.Background()); err != nil {
		return err
	}
	for _, letters := range c.letters {
		if err := letters.noteQueue(context.Background(), queueOfShard(c.processing.keys.queue)); err != nil {
			return err
		}
	}
	if err := c.processing.findPriorities(context.Background(), c.declaresPriorities); err != nil {
		return err
	}
	return c.heartbeat.register()
}

// work owns every goroutine of the consumer: it returns when all have ended.
func (c *consumer) work() {
	if queue := c.processing.keys.queue; queueOfShard(queue) == queue {
		c.logger.Info("waiting for tasks") // of all shards
	}
	var background sync.WaitGroup
	idle := make(chan struct{})
	background.Go(c.releaser.run)
	background.Go(func() { c.acknowledger.run(idle) })
	background.Go(func() { c.heartbeat.run(idle, c.fetcher) })

	c.fetcher.run()
	c.runner.wait()
	close(idle)
	background.Wait()
	c.leave()
}

// leave ends the consumer. Where Redis does not answer, others reclaim what it leaves behind when its heartbeat is
// missed.
func (c *consumer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), c.stopTimeout)
	defer cancel()
	if done := c.inFlight.takeDone(); c.acknowledger.acknowledge(ctx, done) != nil {
		c.logger.Warn("stopped before redis took all acknowledgements: those tasks run again", "tasks", len(done))
		return
	}
	leave := c.processing.requeueAndForget
	if c.fetcher.mayGetMore() {
		leave = c.processing.requeue
	}
	if err := leave(ctx); err != nil {
		c.logger.Warn("stopped without putting tasks back on the queue", "error", err)
	}
}
