package amqpadapter

import (
	"strconv"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
)

// A message is what is published, and where to.
type message struct {
	exchange, routingKey string
	// needs must exist for the message to get where it shall.
	needs []declaration
	amqp.Publishing
}

// maxShared bounds the messages on the channel that all share, in bytes: RabbitMQ closes it for one longer than its
// max_message_size. To open another takes two round trips, which is little beside sending so much.
const maxShared = 1 << 20

func (m *message) isLarge() bool { return len(m.Body) > maxShared }

// messageOf returns the message that brings a task to its queue, at once or when its ETA has come.
func (t topology) messageOf(s *tasks.Signature) (message, error) {
	headers, err := headersOf(s)
	if err != nil {
		return message{}, err
	}
	publishing, err := publishingOf(s, headers)
	if err != nil {
		return message{}, err
	}
	m := message{
		exchange:   t.cnf.AMQP.Exchange,
		routingKey: s.RoutingKey,
		needs:      t.forPublishing(s.RoutingKey),
		Publishing: publishing,
	}
	if s.ETA == nil {
		return m, nil
	}
	if by := delayUntil(*s.ETA); by > 0 {
		t.delay(&m, by)
	}
	return m, nil
}

// delay makes a message come to its exchange later, by Machinery's means where the configuration asks for these.
func (t topology) delay(m *message, by uint32) {
	if queue := t.cnf.AMQP.DelayedQueue; queue != "" {
		m.needs = append(m.needs, t.delayedQueue(m.routingKey))
		m.routingKey = queue
		m.Expiration = strconv.FormatUint(uint64(by), 10)
		return
	}
	t.delayToExchange(m, by)
}

// publishingOf returns a task with its body and properties. They are few: with the UUID, which is in the body, and a
// longer message id RabbitMQ takes up to a tenth fewer messages.
func publishingOf(s *tasks.Signature, headers amqp.Table) (amqp.Publishing, error) {
	body, err := taskjson.MarshalTask(s)
	if err != nil {
		return amqp.Publishing{}, err
	}
	return amqp.Publishing{
		Headers:      headers,
		ContentType:  "application/json",
		Body:         body,
		Priority:     s.Priority,
		DeliveryMode: amqp.Persistent,
		Type:         cut(s.Name, maxShortString),
		Timestamp:    time.Now(),
	}, nil
}

// republished is a message as it came, without the traces of its way.
func republished(d amqp.Delivery) amqp.Publishing {
	return amqp.Publishing{
		Headers:         withoutTraces(d.Headers),
		ContentType:     d.ContentType,
		ContentEncoding: d.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        d.Priority,
		CorrelationId:   d.CorrelationId,
		ReplyTo:         d.ReplyTo,
		Timestamp:       d.Timestamp,
		Type:            d.Type,
		AppId:           d.AppId,
		Body:            d.Body,
	}
}

// countIn reads a header that counts, and that anybody may have set to anything.
func countIn(headers amqp.Table, name string) int {
	switch n := headers[name].(type) {
	case int32:
		return int(max(n, 0))
	case int64:
		return int(min(max(n, 0), 1<<30))
	default:
		return 0
	}
}
