package amqpadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// DeadLetters is a durable queue of messages that no worker can process, as they came, with the reason. Give it to the
// broker by WithDeadLetters. It is safe for concurrent use.
//
// RabbitMQ does not let one look into a queue: Get, All, Replay and Drop take messages out and put those back that
// shall stay. Other processes that look meanwhile do not see them. In a classic queue they come to their old places,
// and RabbitMQ marks them as redelivered. In a quorum queue that would count as a delivery, and RabbitMQ drops what was
// delivered too often: there they are published anew, in their old order, which is done although the context has ended;
// where RabbitMQ does not answer or the queue is full, a method may so take WithPublishTimeout of the broker (default 30 s)
// longer than its context. Up to 512 letters may be there twice after a lost connection. A quorum queue that is full takes
// no letter back: each look counts then, and All says so by an error.
type DeadLetters struct {
	queue deadLetterQueue
	// looking lets one method at a time take letters out: it would hide them from the others.
	looking mutex
	// verify is the function of WithVerify, or nil.
	verify func(*tasks.Signature) error
	// maxMessage is how long a message may be that is read as a task.
	maxMessage int
	// topology is that of the broker whose dead letters these are; nil as long as that is not known.
	topology atomic.Pointer[topology]
}

var _ deadletter.Store = (*DeadLetters)(nil)

// DeadLettersOption changes how dead letters are replayed. One that cannot be meant is an ErrConfig.
type DeadLettersOption func(*DeadLetters) error

// WithVerify has Replay and ReplayAll ask about each task before they send it, given as it was received: where verify
// returns an error the letter stays, and the error wraps deadletter.ErrRefused and that. With middleware.SignTasks give
// it Middleware.Verify: else the worker would only refuse the task again.
func WithVerify(verify func(*tasks.Signature) error) DeadLettersOption {
	return func(d *DeadLetters) error {
		if verify == nil {
			return fmt.Errorf("%w: WithVerify(nil): %w", ErrConfig, errNil)
		}
		d.verify = verify
		return nil
	}
}

// NewDeadLetters connects to the RabbitMQ at the url and declares the queue, durable and without arguments; one that
// exists is used as it is. It tries to connect once, until ctx ends or the connection_timeout of the url is over (default
// 30 s): a RabbitMQ that cannot be reached is an error.
func NewDeadLetters(ctx context.Context, url, queue string, opts ...DeadLettersOption) (*DeadLetters, error) {
	return openDeadLetters(ctx, &endpoint{urls: []string{url}}, queue, opts)
}

// NewDeadLettersOf does the same where the broker of that configuration is, with its TLSConfig and all its addresses.
func NewDeadLettersOf(ctx context.Context, cnf *config.Config, queue string, opts ...DeadLettersOption) (*DeadLetters, error) {
	d, err := openDeadLetters(ctx, endpointOf(cnf), queue, opts)
	if err != nil {
		return nil, err
	}
	d.belongTo(topology{cnf: cnf})
	return d, nil
}

func openDeadLetters(ctx context.Context, e *endpoint, queue string, opts []DeadLettersOption) (*DeadLetters, error) {
	d := newDeadLetters(newPublisher(e, defaultPublishTimeout), queue)
	for _, option := range opts {
		if err := option(d); err != nil {
			return nil, err
		}
	}
	conn, err := d.queue.publisher.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := conn.ensure(ctx, deadLettersIn(queue, nil)); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return d, nil
}

func newDeadLetters(p *publisher, queue string) *DeadLetters {
	return &DeadLetters{
		queue:      deadLetterQueue{publisher: p, name: queue},
		looking:    newMutex(),
		maxMessage: delivery.DefaultMaxMessage,
	}
}

func (d *DeadLetters) letterOf(found amqp.Delivery) DeadLetter {
	return newDeadLetter(found, d.topology.Load(), d.maxMessage)
}

// belongTo says where tasks go that are pushed without a queue that they came from.
func (d *DeadLetters) belongTo(t topology) {
	if t.check() == nil {
		d.topology.Store(&t)
	}
}

// Close closes the connection. All other methods return ErrClosed from then on.
func (d *DeadLetters) Close() error { return d.queue.publisher.close() }

// Push keeps a task and the reason why it is here. It returns when RabbitMQ has confirmed that; the errors are
// ErrNotConfirmed, ErrClosed, and those of encoding/json, ctx and the client library. Headers of the task that AMQP
// cannot carry stay in its body alone.
func (d *DeadLetters) Push(ctx context.Context, s *tasks.Signature, reason error) error {
	headers, err := headersOf(s)
	if err != nil {
		headers = amqp.Table{}
		addArgumentHeaders(headers, s)
	}
	publishing, err := publishingOf(s, headers)
	if err != nil {
		return fmt.Errorf("dead letter: encode task %s: %w", s.Name, err)
	}
	return d.push(ctx, s, publishing, reason)
}

func (d *DeadLetters) push(ctx context.Context, s *tasks.Signature, p amqp.Publishing, reason error) error {
	from := origin{routingKey: s.RoutingKey}
	if t := d.topology.Load(); t != nil {
		from.exchange = t.cnf.AMQP.Exchange
	}
	if err := d.queue.push(ctx, (*publisher).publish, p, from, reason); err != nil {
		return fmt.Errorf("dead letter: task %s: %w", s.Name, err)
	}
	return nil
}

// maxRemains bounds what is kept of a task that is too large for RabbitMQ.
const maxRemains = 1 << 16

// pushRemains keeps what can be kept of a task that Push cannot keep: the beginning of its JSON, where it has any.
func (d *DeadLetters) pushRemains(ctx context.Context, s *tasks.Signature, reason error) error {
	body, _ := json.Marshal(s)
	return d.push(ctx, s, amqp.Publishing{
		Headers:       amqp.Table{},
		Body:          body[:min(len(body), maxRemains)],
		DeliveryMode:  amqp.Persistent,
		CorrelationId: cut(s.UUID, maxShortString),
		Type:          cut(s.Name, maxShortString),
		Timestamp:     time.Now(),
	}, reason)
}

// Count returns how many letters there are.
func (d *DeadLetters) Count(ctx context.Context) (int, error) {
	n, err := d.count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

func (d *DeadLetters) count(ctx context.Context) (int, error) {
	b, err := d.queue.publisher.browse(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = b.close(ctx) }()
	n, err := b.count(ctx, d.queue.name)
	if isMissing(err) {
		return 0, nil // the first letter makes the queue
	}
	return n, err
}

// Get returns one letter, or deadletter.ErrNotFound.
func (d *DeadLetters) Get(ctx context.Context, id string) (DeadLetter, error) {
	var letter DeadLetter
	err := d.find(ctx, id, func(found amqp.Delivery) error {
		letter = d.letterOf(found)
		return nil
	})
	if err != nil {
		return DeadLetter{}, fmt.Errorf("get dead letter %s: %w", id, err)
	}
	return letter, nil
}

// All goes through the letters that are there when it begins, oldest first. It reads them all before it hands out the
// first, so that they are back in the queue then. An error comes alone, with an empty DeadLetter.
func (d *DeadLetters) All(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		letters, err := d.list(ctx)
		if err != nil {
			yield(DeadLetter{}, fmt.Errorf("list dead letters: %w", err))
			return
		}
		for _, letter := range letters {
			if !yield(letter, nil) {
				return
			}
		}
	}
}

func (d *DeadLetters) list(ctx context.Context) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := d.each(ctx, func(found amqp.Delivery) (more bool, err error) {
		letters = append(letters, d.letterOf(found))
		return true, nil
	})
	return letters, err
}

// Drop removes one letter, or returns deadletter.ErrNotFound.
func (d *DeadLetters) Drop(ctx context.Context, id string) error {
	err := d.find(ctx, id, func(found amqp.Delivery) error { return found.Ack(false) })
	if err != nil {
		return fmt.Errorf("drop dead letter %s: %w", id, err)
	}
	return nil
}

// DropAll removes the letters that are there when it begins and returns how many.
func (d *DeadLetters) DropAll(ctx context.Context) (int, error) {
	dropped := 0
	err := d.each(ctx, func(found amqp.Delivery) (more bool, err error) {
		if err := found.Ack(false); err != nil {
			return false, err
		}
		dropped++
		return true, nil
	})
	if err != nil {
		return dropped, fmt.Errorf("drop dead letters: %w", err)
	}
	return dropped, nil
}

// find does something with the letter of an ID, and returns deadletter.ErrNotFound where there is none. That others could
// not be put back is no error of it.
func (d *DeadLetters) find(ctx context.Context, id string, do func(amqp.Delivery) error) error {
	found, err := false, error(nil)
	failed := d.each(ctx, func(letter amqp.Delivery) (more bool, _ error) {
		if idOf(letter) != id {
			return true, nil
		}
		found, err = true, do(letter)
		return false, nil
	})
	switch {
	case err != nil, found && errors.Is(failed, errNotPutBack):
		return err
	case failed != nil:
		return failed
	case !found:
		return deadletter.ErrNotFound
	}
	return nil
}

// each visits the letters that are there now until visit wants no more. What visit does not acknowledge stays.
func (d *DeadLetters) each(ctx context.Context, visit func(amqp.Delivery) (more bool, err error)) (err error) {
	if err := d.looking.lock(ctx); err != nil {
		return err
	}
	defer d.looking.unlock()
	b, err := d.queue.publisher.browse(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if unsure := b.close(ctx); unsure != nil {
			err = unsure
		}
	}()
	kind, err := d.queue.publisher.queueType(ctx, d.queue.name)
	switch {
	case isMissing(err):
		return nil // the first letter makes the queue
	case err != nil:
		return err
	case kind == amqp.QueueTypeQuorum:
		return d.rotate(ctx, b, visit)
	}
	for found, err := range b.messages(ctx, d.queue.name) {
		if isMissing(err) {
			return nil // the first letter makes the queue
		}
		if err != nil {
			return err
		}
		if more, err := visit(found); err != nil || !more {
			return err
		}
	}
	return nil
}
