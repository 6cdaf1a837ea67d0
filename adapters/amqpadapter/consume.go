package amqpadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// consumer runs the tasks of one queue for one worker.
type consumer struct {
	*handler
	tag      string
	prefetch int
	// arguments are those of both consumers.
	arguments amqp.Table
	topology  topology
	conn      *consumeConn
	worker    *lifecycle.Worker
	forward   *forwarder
	pauses    *pauseWatch
	outage    *delivery.Outage
	logger    *slog.Logger
	// running has an element for each task that runs, where their number is bounded.
	running chan struct{}
	tasks   sync.WaitGroup
}

func newConsumer(b *broker, worker *lifecycle.Worker, tag string, concurrency int, processor brokersiface.TaskProcessor) *consumer {
	if tag == "" {
		tag = "machinery-" + rand.Text()
	}
	c := &consumer{
		handler:  newHandler(b, worker.Stopping(), processor),
		tag:      tag,
		prefetch: b.GetConfig().AMQP.PrefetchCount,
		topology: b.topology,
		conn:     b.consumers,
		worker:   worker,
		forward:  newForwarder(b, worker.Stopping()),
		outage:   b.outage,
		logger:   b.logger,
	}
	c.pauses = newPauseWatch(b, c.queue, worker.Stopping())
	c.arguments = consumerArguments(concurrency)
	c.background = func(d received, f func()) { c.goFor(d.session, f) }
	if bound := maxRunning(concurrency, c.prefetch); bound > 0 {
		c.running = make(chan struct{}, bound)
	}
	return c
}

// maxRunning returns how many tasks may run at a time. Where only RabbitMQ bounds them it is what one channel is handed
// out of both queues: one before it may still have tasks. Nothing bounds them where it is under 1.
func maxRunning(concurrency, prefetch int) int {
	if concurrency > 0 {
		return concurrency
	}
	return 2 * prefetch
}

// run consumes until the worker is stopped. It returns an error where it cannot begin.
func (c *consumer) run() error {
	defer c.pauses.close()
	defer c.tasks.Wait()
	s, err := c.open()
	if err != nil {
		return err
	}
	c.worker.Started()
	c.tasks.Go(c.forward.run)
	c.tasks.Go(c.pauses.run)
	c.outage.Over(c.part()) // a worker before this one may have stopped in an outage
	c.logger.Info("waiting for tasks", "queue", c.queue)
	for s != nil {
		s = c.after(s, c.consume(s))
	}
	return nil
}

// after returns the session after one that has ended; nil when the worker is stopped.
func (c *consumer) after(s *session, reason error) *session {
	switch {
	case errors.Is(reason, errPaused):
		c.tasks.Go(func() { c.closeWhenDone(s) })
		next, err := c.open()
		if err == nil {
			return next
		}
		reason = err
	case errors.Is(reason, errCancelled):
		// Its tasks still run, and those of a queue that is not gone can be acknowledged.
		c.tasks.Go(func() {
			c.putBack(s)
			c.closeWhenDone(s)
		})
	case reason == nil:
		c.abandon(s.channel)
	default:
		c.close(s.channel)
	}
	return c.reopen(reason)
}

// reopen tries for as long as the worker is wanted.
func (c *consumer) reopen(err error) *session {
	for failures, began := 1, c.outage.Begin(); c.stopping.Err() == nil; failures++ {
		c.outage.Note(c.part(), began, err)
		if !backoff.Sleep(c.stopping, reconnect.Pause(failures)) {
			return nil
		}
		var s *session
		began = c.outage.Begin()
		if s, err = c.open(); err == nil {
			c.outage.Over(c.part())
			return s
		}
	}
	return nil
}

// part names the consumer to the outage.
func (c *consumer) part() string { return "consume from queue " + c.queue }

func (c *consumer) open() (*session, error) {
	channel, err := c.conn.open(c.stopping)
	if err != nil {
		return nil, err
	}
	s, err := c.subscribe(c.stopping, channel)
	if err != nil {
		c.close(channel)
		return nil, err
	}
	return s, nil
}

func (c *consumer) subscribe(ctx context.Context, channel *callChannel) (*session, error) {
	s := c.newSession(channel)
	for _, need := range c.topology.forConsuming(c.queue) {
		if err := c.conn.declare(ctx, need); err != nil {
			return nil, err
		}
	}
	_ = c.pauses.look() // a worker that cannot find out works
	if c.pauses.isPaused() {
		return s, nil
	}
	return s, c.subscribeTo(s)
}

// subscribeTo has tasks delivered. The queue beside comes last: where a subscription fails the channel is closed, and what
// comes from there counts as lost with a worker then.
func (c *consumer) subscribeTo(s *session) (err error) {
	first := subscription{c.queue, c.tag, c.prefetch, c.arguments}
	if s.first, err = s.channel.subscribe(c.stopping, first); err != nil {
		return err
	}
	again := subscription{c.queue + redeliveredSuffix, c.tag + redeliveredSuffix, c.prefetchAgain(), c.arguments}
	if s.again, err = s.channel.subscribe(c.stopping, again); err != nil {
		return err
	}
	// Who has paused the queue since the last look has found no consumer to wait for.
	_ = c.pauses.look()
	return nil
}

// prefetchAgain is that of tasks which come again: no more than can run. One that is only handed out to a worker that is
// lost is counted as if it had run, because it may have been the cause.
func (c *consumer) prefetchAgain() int {
	if c.running == nil || c.prefetch > 0 && c.prefetch < cap(c.running) {
		return c.prefetch
	}
	return cap(c.running)
}

// consume hands out what comes, until the worker is stopped, the queue is paused or the channel is gone; it returns the
// reason of that. When the worker is stopped it waits for what runs, so that it can still be acknowledged.
func (c *consumer) consume(s *session) error {
	for c.stopping.Err() == nil {
		switch {
		case c.handOut(s) || c.stopping.Err() != nil:
		case s.over:
			return s.failure()
		case s.first != nil:
			c.putBack(s)
			return errPaused
		default:
			if err := c.waitOut(s); err != nil {
				return err
			}
		}
	}
	// No more come while the last tasks run, and what was only handed out goes back: other workers can have them.
	c.putBack(s)
	s.tasks.Wait()
	if !s.channel.isCalling() {
		c.flush(s)
	}
	return nil
}

// flush closes the channel, and returns when RabbitMQ has taken what was acknowledged on it. Where it is slow, a
// connection that is closed before would take that with it, and the tasks would run again.
func (c *consumer) flush(s *session) {
	ctx, done := c.grace()
	defer done()
	_ = s.channel.call(ctx, s.channel.Close)
}

// close closes a channel on which nothing is left to acknowledge.
func (c *consumer) close(channel *callChannel) {
	ctx, done := c.grace()
	defer done()
	c.conn.close(ctx, channel)
}

// abandon closes a channel when RabbitMQ has been waited for long enough.
func (c *consumer) abandon(channel *callChannel) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.conn.close(ctx, channel)
}

// grace returns a context for what is asked of RabbitMQ when the worker stops.
func (c *consumer) grace() (context.Context, context.CancelFunc) {
	return lifecycle.WithGrace(context.Background(), c.stopping, c.stopTimeout)
}

// cancel ends the deliveries of a session. When the worker stops it does not wait long for a RabbitMQ that does not
// answer: they may still come then, and the error is context.DeadlineExceeded.
func (c *consumer) cancel(s *session) error {
	ctx, done := c.grace()
	defer done()
	return s.channel.call(ctx, func() error {
		return errors.Join(s.channel.Cancel(c.tag, false), s.channel.Cancel(c.tag+redeliveredSuffix, false))
	})
}

// handOut handles the next message when another task may run, and reports whether one came. None does while the queue
// is paused.
func (c *consumer) handOut(s *session) bool {
	paused := c.pauses.begun()
	if s.first == nil || c.pauses.isPaused() || !c.acquire(paused) {
		return false
	}
	select {
	case <-c.stopping.Done():
		c.release()
		return false
	case <-paused:
		c.release()
		return false
	case d, open := <-s.first:
		s.over = !open
		return c.start(s, d, open, c.handle)
	case d, open := <-s.again:
		s.over = !open
		return c.start(s, d, open, c.handleAgain)
	}
}

// acquire waits until another task may run, or until it is told not to wait any more.
func (c *consumer) acquire(enough <-chan struct{}) bool {
	if c.running == nil {
		return true
	}
	select {
	case <-c.stopping.Done():
		return false
	case <-enough:
		return false
	case c.running <- struct{}{}:
		return true
	}
}

func (c *consumer) release() {
	if c.running != nil {
		<-c.running
	}
}

// start handles a message in a goroutine of its own, unless no more come.
func (c *consumer) start(s *session, delivery amqp.Delivery, open bool, handle func(received)) bool {
	if !open {
		c.release()
		return false
	}
	c.goFor(s, func() {
		d := s.received(c.queue, delivery)
		if d.Redelivered && !c.hold(d) {
			return
		}
		defer c.release()
		defer c.runs.begin(d.key)()
		handle(d)
	})
	return true
}

// hold deals with a message that comes again while its task still runs here, or after that has ended, and reports
// whether the task is to run. It gives its place to other tasks while it waits, and where the task is not to run.
func (c *consumer) hold(d received) bool {
	for ended := c.runs.running(d.key); ended != nil; ended = c.runs.running(d.key) {
		c.release()
		<-ended
		if c.isDone(d) || !c.acquire(nil) {
			return false
		}
	}
	if c.isDone(d) {
		c.release()
		return false
	}
	return true
}

// isDone reports whether nothing is left to do for a message that came again, because its task was dealt with before or
// because RabbitMQ delivers it once more. It acknowledges one that was dealt with.
func (c *consumer) isDone(d received) bool {
	if isGone(d) {
		return true
	}
	if !c.runs.takeSettled(d.key) {
		return false
	}
	c.acknowledge(d)
	return true
}
