package amqpadapter

import (
	"context"
	"errors"
	"regexp"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxDifferences bounds the arguments of a queue that queueType finds out.
const maxDifferences = 20

// queueType returns the type of a queue that exists: classic, quorum or stream. AMQP has no question for that, but
// RabbitMQ says what is different when a queue is declared as another type: one difference at a time.
func (p *publisher) queueType(ctx context.Context, queue string) (string, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return "", err
	}
	if kind, known := conn.types.Load(queue); known {
		return kind.(string), nil
	}
	var kind string // to be read only where there is no error: the search may go on when nobody waits for it any more
	err = waitFor(ctx, func() (err error) {
		kind, err = conn.findType(queue)
		return err
	})
	if err != nil {
		return "", err
	}
	if kind != amqp.QueueTypeClassic { // a classic queue may be made anew, and what is safe there is not elsewhere
		conn.types.Store(queue, kind)
	}
	return kind, nil
}

// forgetType is for a queue that is gone: it may be made anew as one of another type.
func (p *publisher) forgetType(queue string) {
	if conn := p.conn.Load(); conn != nil {
		conn.types.Delete(queue)
	}
}

func (c *publishConn) findType(queue string) (string, error) {
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
	for range maxDifferences {
		err := c.declareExisting(queue, args)
		if err == nil {
			return amqp.QueueTypeClassic, nil
		}
		argument, current, ok := differenceIn(err)
		switch {
		case !ok:
			return "", err
		case argument != amqp.QueueTypeArg && !isExtra(argument):
			return amqp.QueueTypeClassic, nil // the others are durable, and neither exclusive nor deleted by themselves
		case argument != amqp.QueueTypeArg && current == nil:
			return "", err
		case argument != amqp.QueueTypeArg:
			args[argument] = current
		case current == nil:
			return amqp.QueueTypeClassic, nil
		default:
			return text(current), nil
		}
	}
	return "", errors.New("queue has too many arguments to find its type")
}

// declareExisting declares on a channel of its own, because a difference closes it.
func (c *publishConn) declareExisting(queue string, args amqp.Table) error {
	channel, err := c.connection.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = channel.Close() }()
	if _, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
		return err
	}
	_, err = channel.QueueDeclare(queue, true, false, false, false, args)
	return err
}

var difference = regexp.MustCompile(
	`inequivalent arg '([^']+)'.* but current is (?:none|the value '(.*)' of type '([a-z]+)'|'([^']*)')`)

// differenceIn returns in which argument a queue that exists is different from a declaration, and its value there; nil
// where it has none.
func differenceIn(err error) (argument string, current any, ok bool) {
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != amqp.PreconditionFailed {
		return "", nil, false
	}
	found := difference.FindStringSubmatch(refused.Reason)
	if found == nil {
		return "", nil, false
	}
	if found[4] != "" {
		return found[1], found[4], true
	}
	return found[1], valueOf(found[2], found[3]), true
}

func valueOf(value, kind string) any {
	if kind == "" {
		return nil
	}
	if kind == "bool" {
		return value == "true"
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && kind != "longstr" {
		return n
	}
	return value
}

// isExtra reports whether an argument is one of those that AMQP leaves to the server.
func isExtra(argument string) bool { return len(argument) > 2 && argument[:2] == "x-" }
