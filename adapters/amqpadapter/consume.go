package amqpadapter

import (
	"crypto/rand"
	"fmt"
	"sync"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/log"
	amqp "github.com/rabbitmq/amqp091-go"
)

// consumer runs the tasks of one queue for one worker.
type consumer struct {
	*broker
	tag       string
	queue     string
	processor brokersiface.TaskProcessor
	// running has an element for each task that runs, where their number is bounded.
	running chan struct{}
	tasks   sync.WaitGroup
	dead    deadLetterQueue
}

func newConsumer(b *broker, tag string, concurrency int, processor brokersiface.TaskProcessor) *consumer {
	queue := processor.CustomQueue()
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	if tag == "" {
		tag = "machinery-" + rand.Text()
	}
	c := &consumer{broker: b, tag: tag, queue: queue, processor: processor}
	if concurrency > 0 {
		c.running = make(chan struct{}, concurrency)
	}
	c.dead = deadLetterQueue{publisher: b.publisher, queue: b.deadQueue(queue)}
	if b.deadLetters != nil {
		c.dead = b.deadLetters.deadLetterQueue
	}
	return c
}

// run consumes until the broker stops. It returns an error where it cannot begin.
func (c *consumer) run() error {
	defer c.tasks.Wait()
	s, err := c.open()
	if err != nil {
		return err
	}
	c.started()
	log.INFO.Print("[*] Waiting for messages. To exit press CTRL+C")
	trouble := outage{source: c.queue}
	for {
		lossOf := c.consume(s)
		c.inbound.release(s.channel)
		if c.stopping.Err() != nil {
			return nil
		}
		if s = c.reopen(&trouble, lossOf); s == nil {
			return nil
		}
	}
}

// reopen tries for as long as the broker is wanted.
func (c *consumer) reopen(trouble *outage, err error) *session {
	for {
		if !pause(c.stopping, trouble.next(err)) {
			return nil
		}
		var s *session
		if s, err = c.open(); err == nil {
			trouble.end()
			return s
		}
	}
}

// A session is what one channel delivers.
type session struct {
	channel *amqp.Channel
	// first are tasks from the queue, second those that came a second time.
	first, second <-chan amqp.Delivery
	closed        <-chan *amqp.Error
}

func (c *consumer) open() (*session, error) {
	channel, err := c.inbound.channel(c.stopping)
	if err != nil {
		return nil, err
	}
	s, err := c.subscribe(channel)
	if err != nil {
		c.inbound.release(channel)
		return nil, err
	}
	return s, nil
}

func (c *consumer) subscribe(channel *amqp.Channel) (*session, error) {
	s := &session{channel: channel, closed: channel.NotifyClose(make(chan *amqp.Error, 1))}
	if err := c.topology.forConsuming(channel, c.queue); err != nil {
		return nil, err
	}
	if err := channel.Qos(c.GetConfig().AMQP.PrefetchCount, 0, false); err != nil {
		return nil, fmt.Errorf("prefetch count: %w", err)
	}
	var err error
	if s.first, err = channel.Consume(c.queue, c.tag, false, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("consume queue %q: %w", c.queue, err)
	}
	beside := c.queue + redeliveredSuffix
	if s.second, err = channel.Consume(beside, c.tag+redeliveredSuffix, false, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("consume queue %q: %w", beside, err)
	}
	return s, nil
}

// consume hands out what comes, until the broker stops or the channel is gone; it returns the reason of that. When the
// broker stops it waits for what runs, so that it can still be acknowledged.
func (c *consumer) consume(s *session) error {
	for {
		if !c.await(s) {
			break
		}
		select {
		case <-c.stopping.Done():
			c.free()
		case d, open := <-s.first:
			if c.take(d, open, c.handle) {
				continue
			}
		case d, open := <-s.second:
			if c.take(d, open, c.handleAgain) {
				continue
			}
		}
		break
	}
	if c.stopping.Err() == nil {
		return s.loss()
	}
	// No more come while the last tasks run: other workers can have them.
	_ = s.channel.Cancel(c.tag, false)
	_ = s.channel.Cancel(c.tag+redeliveredSuffix, false)
	c.tasks.Wait()
	return nil
}

// await waits until another task may run.
func (c *consumer) await(s *session) bool {
	if c.running == nil {
		return true
	}
	select {
	case <-c.stopping.Done():
		return false
	case c.running <- struct{}{}:
		return true
	}
}

func (c *consumer) free() {
	if c.running != nil {
		<-c.running
	}
}

// take starts a goroutine for a delivery, unless no more come.
func (c *consumer) take(d amqp.Delivery, open bool, handle func(amqp.Delivery)) bool {
	if !open {
		c.free()
		return false
	}
	c.tasks.Go(func() {
		defer c.free()
		handle(d)
	})
	return true
}

// loss says why the deliveries ended.
func (s *session) loss() error {
	select {
	case err, open := <-s.closed:
		if open && err != nil {
			return err
		}
		return amqp.ErrClosed
	default:
		return fmt.Errorf("rabbitmq ended the delivery, as it does when a queue is deleted")
	}
}
