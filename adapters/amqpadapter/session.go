package amqpadapter

import (
	"errors"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A session is what one channel delivers.
type session struct {
	channel      *callChannel
	acknowledger *acknowledger
	// first are tasks from the queue, again those that came a second time; nil while the queue is paused.
	first, again <-chan amqp.Delivery
	// over is true when the deliveries have ended without being told to.
	over   bool
	closed <-chan *amqp.Error
	// tasks are those whose messages are still to be acknowledged on the channel.
	tasks sync.WaitGroup
}

// newSession makes one of a channel that delivers nothing yet.
func (c *consumer) newSession(channel *callChannel) *session {
	s := &session{channel: channel, closed: channel.NotifyClose(make(chan *amqp.Error, 1))}
	s.acknowledger = &acknowledger{
		channel: channel,
		runs:    c.runs,
		most:    mostAcknowledgements(c.prefetch, cap(c.running)),
		begin:   func() (end func()) { return c.begin(s) },
		failed: func(d received, err error) {
			c.handler.logger(d).Warn("message could not be acknowledged, it will come again", "error", err)
		},
	}
	return s
}

func (s *session) received(queue string, delivery amqp.Delivery) received {
	d := receivedFrom(queue, delivery)
	d.session = s
	s.acknowledger.deliver(d)
	return d
}

// goFor runs what has to do with a message of a session in a goroutine of its own.
func (c *consumer) goFor(s *session, f func()) {
	s.tasks.Add(1)
	c.tasks.Go(func() { // where f panics the worker waits on, so that the process ends with the panic
		defer s.tasks.Done()
		f()
	})
}

// begin notes that something has to do with a message of a session. The function that it returns must be called at the
// end.
func (c *consumer) begin(s *session) (end func()) {
	s.tasks.Add(1)
	c.tasks.Add(1)
	return func() {
		s.tasks.Done()
		c.tasks.Done()
	}
}

// errPaused ends a session.
var errPaused = errors.New("queue is paused")

var errCancelled = errors.New("rabbitmq ended the delivery, as it does when a queue is deleted")

// failure returns why the deliveries ended.
func (s *session) failure() error {
	return failureOf(s.closed)
}

func failureOf(closed <-chan *amqp.Error) error {
	select {
	case err, open := <-closed:
		if open && err != nil {
			return err
		}
		return amqp.ErrClosed
	default:
		return errCancelled
	}
}
