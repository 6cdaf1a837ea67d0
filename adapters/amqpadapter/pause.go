package amqpadapter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

const (
	// pauseSuffix names the queue, beside each work queue, in which a message is while the work queue is paused. It is
	// never consumed: how many messages it has is all that it says.
	pauseSuffix = ".pause"
	// pauseInterval is how often workers ask for that.
	pauseInterval = time.Second
	// refusedInterval is how often they ask again where the user may not: each time fills RabbitMQ's log.
	refusedInterval = time.Minute
)

// pauseQueue declares the queue that says whether a work queue is paused.
func (t topology) pauseQueue(queue string) declaration {
	return deadLettersIn(queue+pauseSuffix, t.withType(nil))
}

// A pauseWatch knows whether the queue of a worker is paused. Where that cannot be found out, what was found last holds,
// and at first that it is not paused: a worker works.
type pauseWatch struct {
	queue    string
	needs    declaration
	conn     *consumeConn
	outage   *delivery.Outage
	logger   *slog.Logger
	stopping context.Context
	// stopTimeout bounds the closing of the channel when the worker is to stop.
	stopTimeout time.Duration
	// refused is how long a refusal holds.
	refused time.Duration

	// looking guards channel and err, which are those of the last look.
	looking sync.Mutex
	channel *callChannel
	err     error

	mu     sync.Mutex
	paused bool
	// pause is closed while the queue is paused, resumption while it is not.
	pause, resumption chan struct{}
}

func newPauseWatch(b *broker, queue string, stopping context.Context) *pauseWatch {
	w := &pauseWatch{
		queue:       queue,
		needs:       b.topology.pauseQueue(queue),
		conn:        b.consumers,
		outage:      b.outage,
		logger:      b.logger,
		stopping:    stopping,
		stopTimeout: b.stopTimeout,
		refused:     refusedInterval,
		pause:       make(chan struct{}),
		resumption:  make(chan struct{}),
	}
	close(w.resumption)
	return w
}

// begun returns a channel that is closed once the queue is paused.
func (w *pauseWatch) begun() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pause
}

// ended returns a channel that is closed once the queue is not paused.
func (w *pauseWatch) ended() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resumption
}

func (w *pauseWatch) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused
}

// note notes how many messages say that the queue is paused.
func (w *pauseWatch) note(messages int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch paused := messages > 0; {
	case paused == w.paused:
		return
	case paused:
		close(w.pause)
		w.resumption = make(chan struct{})
		w.logger.Info("queue is paused", "queue", w.queue)
	default:
		close(w.resumption)
		w.pause = make(chan struct{})
		w.logger.Info("queue is resumed", "queue", w.queue)
	}
	w.paused = !w.paused
}

// run looks until the worker is stopped, and does not wait with the end of its channel until the last task has ended.
func (w *pauseWatch) run() {
	defer w.close()
	part := "watch queue " + w.queue + pauseSuffix
	defer w.outage.Over(part) // nobody else ends an outage of this part
	report := sync.OnceFunc(func() {
		w.logger.Info("queue cannot be paused: the user may not declare the queue that says so",
			"queue", w.queue, "needed", w.queue+pauseSuffix)
	})
	for failures := 0; ; {
		began := w.outage.Begin()
		err := w.look()
		switch {
		case w.stopping.Err() != nil:
			return // it has cut the look short, which is no outage
		case isForbidden(err):
			report()
			if !backoff.Sleep(w.stopping, w.refused) {
				return
			}
			w.forgive()
			continue
		}
		w.outage.Note(part, began, err)
		if failures++; err == nil {
			failures = 0
		}
		if !backoff.Sleep(w.stopping, max(pauseInterval, reconnect.Pause(failures))) {
			return
		}
	}
}

// forgive has the next look ask again: rights come and go.
func (w *pauseWatch) forgive() {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.err = nil
}

// look asks how many messages say that the queue is paused, on a channel that only it uses: an error closes it. Where
// the user may not declare the queue the next look asks nothing.
func (w *pauseWatch) look() error {
	w.looking.Lock()
	defer w.looking.Unlock()
	if isForbidden(w.err) {
		return w.err
	}
	if w.err = w.ask(); w.err != nil {
		w.hangUp()
	}
	return w.err
}

func (w *pauseWatch) ask() error {
	if w.channel == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	channel := w.channel
	return channel.call(w.stopping, func() error {
		found, err := channel.QueueDeclarePassive(w.queue+pauseSuffix, true, false, false, false, nil)
		if err == nil {
			w.note(found.Messages)
		}
		return err
	})
}

func (w *pauseWatch) open() (err error) {
	if err := w.conn.declare(w.stopping, w.needs); err != nil {
		return err
	}
	w.channel, err = w.conn.open(w.stopping)
	return err
}

// close must follow the last look.
func (w *pauseWatch) close() {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.hangUp()
}

func (w *pauseWatch) hangUp() {
	if w.channel == nil {
		return
	}
	ctx, done := lifecycle.WithGrace(context.Background(), w.stopping, w.stopTimeout)
	defer done()
	w.conn.close(ctx, w.channel)
	w.channel = nil
}

// isForbidden reports whether the user lacks a right.
func isForbidden(err error) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Code == amqp.AccessRefused
}

// waitOut returns nil when the queue is no longer paused and tasks are delivered again, or when the worker is stopped.
func (c *consumer) waitOut(s *session) error {
	select {
	case <-c.stopping.Done():
		return nil
	case err := <-s.closed:
		if err == nil {
			return amqp.ErrClosed
		}
		return err
	case <-c.pauses.ended():
		return c.subscribeTo(s)
	}
}

// putBack ends the deliveries of a session and puts back what was only handed out. Where that fails RabbitMQ does so when
// the channel ends, if it has not done so already.
func (c *consumer) putBack(s *session) {
	if c.cancel(s) != nil || s.first == nil {
		return
	}
	for d := range s.first {
		_ = d.Nack(false, true)
	}
	for d := range s.again {
		c.putBackAgain(s, d)
	}
}

// closeWhenDone closes the channel of a session when nothing is left to acknowledge on it, at once where it is lost. A
// quorum queue may still deliver what was under way when it took the end of the deliveries; nobody gets that, and it
// comes back with the end of the channel.
func (c *consumer) closeWhenDone(s *session) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.tasks.Wait()
	}()
	select {
	case <-done:
	case <-s.closed:
	}
	c.close(s.channel)
}

// putBackAgain puts back a message of the queue beside. What is only returned there comes as if a worker had been lost
// with it: it is sent anew, unless it is one that does so anyway.
func (c *consumer) putBackAgain(s *session, delivery amqp.Delivery) {
	if delivery.Redelivered {
		_ = delivery.Nack(false, true)
		return
	}
	c.goFor(s, func() {
		d := s.received(c.queue, delivery)
		defer c.runs.begin(d.key)()
		c.move(d, c.queue+redeliveredSuffix, countIn(d.Headers, DeliveriesHeader), 0)
	})
}
