package amqpadapter

import (
	"math/bits"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A delay is a sum of powers of two milliseconds. For each power there is one queue, a level, in which messages wait
// for just that long, and one exchange: it puts messages that need the power in the queue, and sends the others to the
// next smaller one; so does the queue with what has waited. A message says of each level whether it needs it: one whose
// queue somebody has deleted is returned to the publisher, instead of coming early.
//
// So there are 32 queues for any number of tasks and delays, in each of them the oldest message is the first due. Each
// queue keeps a message until the next one has confirmed it: they are quorum queues that dead-letter at least once.
//
// After the smallest level comes the due queue of an exchange. It takes any number of messages, so that no level is
// ever held up. From there a forwarder brings them to where they are for: see due.go.
const (
	delayPrefix = "machinery.delayed."
	// classicDelayPrefix is that of classic queues: RabbitMQ does not change the type of a queue.
	classicDelayPrefix = delayPrefix + "classic."
	// formerDelayPrefix is that of earlier versions. Their queues may still hold tasks.
	formerDelayPrefix = "machinery.delay."
	// dueExchange brings what was delayed to a due queue.
	dueExchange = delayPrefix + "due"
	// directExchange brings messages to a queue, or to an exchange, under the routing key that they had at first.
	directExchange = delayPrefix + "direct"
	dueSuffix      = ".due"

	// delayLevels is bound by the longest time that RabbitMQ lets a message wait in a queue.
	delayLevels = 32
	// maxDelay is about 49.7 days, and needs the largest levels only. The worker that gets a task whose ETA is still
	// ahead delays it again.
	maxDelay = (1<<delayPrecision - 1) << (delayLevels - delayPrecision) * time.Millisecond
	// delayPrecision is how many powers a delay uses, to bound the way through the queues. A task comes by up to
	// 1/32768 of its delay late, one of an hour by 64 ms.
	delayPrecision = 16

	// A message says by one header of the first kind for each level whether it needs it, by the second whose due queue
	// it passes through, and by one of the next two where it goes afterwards. The last counts how often it could not be
	// brought there.
	delayLevelHeader    = "machinery-delay-"
	delayDueHeader      = "machinery-delay-due"
	delayExchangeHeader = "machinery-delay-exchange"
	delayQueueHeader    = "machinery-delay-queue"
	delayTriesHeader    = "machinery-delay-tries"
)

// delayUntil returns the milliseconds left until then, 0 when it has come.
func delayUntil(then time.Time) uint32 { return milliseconds(time.Until(then)) }

// milliseconds rounds up: no task may come early.
func milliseconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	if d >= maxDelay {
		return uint32(maxDelay / time.Millisecond)
	}
	n := uint64((d + time.Millisecond - 1) / time.Millisecond)
	if surplus := bits.Len64(n) - delayPrecision; surplus > 0 {
		step := uint64(1) << surplus
		n = (n + step - 1) / step * step
	}
	return uint32(n)
}

// delayToExchange makes m come to the exchange later, under its routing key.
func (t topology) delayToExchange(m *message, by uint32) {
	exchange := t.cnf.AMQP.Exchange
	m.needs = append(m.needs, t.directToExchange())
	m.Headers[delayExchangeHeader] = exchange
	t.sendLater(m, by)
}

// delayToQueue makes m come to a queue later, whatever is bound to it.
func (t topology) delayToQueue(m *message, queue string, by uint32) {
	m.needs = append(m.needs, directToQueue(queue))
	m.Headers[delayQueueHeader] = queue
	t.sendLater(m, by)
}

// sendLater sends m by way of the levels to where its headers say that it goes.
func (t topology) sendLater(m *message, by uint32) {
	m.exchange = directExchange
	if by == 0 {
		return
	}
	m.Headers[delayDueHeader] = t.cnf.AMQP.Exchange
	m.needs = append(m.needs, t.due()...)
	m.needs = append(m.needs, t.levels())
	top := bits.Len32(by) - 1
	m.exchange = t.delayName(top)
	for level := range top + 1 {
		m.Headers[levelHeaders[level]] = by&(1<<level) != 0
	}
}

// directToExchange makes an exchange get what is for it.
func (t topology) directToExchange() declaration {
	cnf := t.cnf.AMQP
	return declaration{id: "to exchange " + cnf.Exchange, declare: func(channel *amqp.Channel) error {
		if err := declareExchange(channel, cnf.Exchange, cnf.ExchangeType, nil); err != nil {
			return err
		}
		if err := declareExchange(channel, directExchange, amqp.ExchangeHeaders, nil); err != nil {
			return err
		}
		return bindExchange(channel, cnf.Exchange, directExchange, matching(delayExchangeHeader, cnf.Exchange))
	}}
}

// directToQueue makes a queue get what is for it.
func directToQueue(queue string) declaration {
	return declaration{id: "to queue " + queue, declare: func(channel *amqp.Channel) error {
		if err := declareExchange(channel, directExchange, amqp.ExchangeHeaders, nil); err != nil {
			return err
		}
		return bindQueue(channel, queue, "", directExchange, matching(delayQueueHeader, queue))
	}}
}

// isDelayQueue reports whether a queue is one in which messages only wait.
func isDelayQueue(queue string) bool {
	return strings.HasPrefix(queue, delayPrefix) || strings.HasPrefix(queue, formerDelayPrefix)
}

func matching(header string, value any) amqp.Table {
	return amqp.Table{"x-match": "all", header: value}
}

// withoutTraces drops the headers that a message got on its way. RabbitMQ would take it for one that goes in circles,
// and drop it, if it went that way again.
func withoutTraces(headers amqp.Table) amqp.Table {
	kept := amqp.Table{}
	for name, value := range headers {
		if !isTrace(name) {
			kept[name] = value
		}
	}
	return kept
}

// isTrace reports whether a header is one by which RabbitMQ or this package routes a message, or that they have added
// on its way. A message that is sent on has none of those of whoever sent it at first.
func isTrace(name string) bool {
	return strings.HasPrefix(name, delayLevelHeader) || strings.HasPrefix(name, "x-") || name == "CC" || name == "BCC"
}
