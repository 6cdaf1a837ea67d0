package amqpadapter

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A delay is a sum of powers of two milliseconds. For each power there is one queue, in which messages wait for just
// that long, and one exchange: it puts messages that need the power in the queue, and passes the others on to the next
// smaller one; so does the queue with what has waited. After the smallest comes the exchange of what is due, which
// sends a message to the exchange or queue that it is for, still under its own routing key.
//
// So there are 32 queues for any number of tasks and delays, in each of them the oldest message is the first due, and
// RabbitMQ does it all by itself: workers of any kind get the task when it is due.
const (
	delayPrefix = "machinery.delay."
	dueExchange = delayPrefix + "due"
	// delayLevels is bound by the longest time that RabbitMQ lets a message wait in a queue.
	delayLevels = 32
	// longestDelay is about 49.7 days. The worker that gets a task whose ETA is still ahead delays it again.
	longestDelay = (1<<delayLevels - 1) * time.Millisecond
	// delayPrecision is how many powers a delay uses, to bound the way through the queues. A task comes by up to
	// 1/65536 of its delay late: an hour's 55 ms.
	delayPrecision = 16

	// A message says by one header of the first kind for each power it needs, and by one of the other two where it goes
	// afterwards.
	delayLevelHeader    = "machinery-delay-"
	delayExchangeHeader = "machinery-delay-exchange"
	delayQueueHeader    = "machinery-delay-queue"
)

// delayUntil returns the milliseconds left until then, 0 when it has come.
func delayUntil(then time.Time) uint32 { return milliseconds(time.Until(then)) }

// milliseconds rounds up: no task may come early.
func milliseconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	if d >= longestDelay {
		return 1<<delayLevels - 1
	}
	n := uint64((d + time.Millisecond - 1) / time.Millisecond)
	if surplus := bits.Len64(n) - delayPrecision; surplus > 0 {
		step := uint64(1) << surplus
		n = (n + step - 1) / step * step
	}
	return uint32(min(n, 1<<delayLevels-1))
}

// delay sends m by way of the delay queues to where the headers say that it is due.
func (m *message) delay(by uint32) {
	m.exchange = dueExchange
	if by == 0 {
		return
	}
	top := bits.Len32(by) - 1
	m.exchange = delayName(top)
	for level := range top + 1 {
		if by&(1<<level) != 0 {
			m.Headers[delayLevelHeader+strconv.Itoa(level)] = true
		}
		m.needs = append(m.needs, delayLevel(level))
	}
}

// dueAtExchange makes an exchange get what is due for it.
func dueAtExchange(exchange string) declaration {
	return declaration{id: "due exchange " + exchange, declare: func(channel *amqp.Channel) error {
		if err := declareExchange(channel, dueExchange, amqp.ExchangeHeaders, nil); err != nil {
			return err
		}
		if err := channel.ExchangeBind(exchange, "", dueExchange, false, matching(delayExchangeHeader, exchange)); err != nil {
			return fmt.Errorf("bind exchange %q to exchange %q: %w", exchange, dueExchange, err)
		}
		return nil
	}}
}

// dueAtQueue makes a queue get what is due for it.
func dueAtQueue(queue string) declaration {
	return declaration{id: "due queue " + queue, declare: func(channel *amqp.Channel) error {
		if err := declareExchange(channel, dueExchange, amqp.ExchangeHeaders, nil); err != nil {
			return err
		}
		return bindQueue(channel, queue, "", dueExchange, matching(delayQueueHeader, queue))
	}}
}

// delayLevel makes the exchange and the queue of one power of two. Those below it must exist.
func delayLevel(level int) declaration {
	name, below := delayName(level), dueExchange
	if level > 0 {
		below = delayName(level - 1)
	}
	return declaration{id: name, declare: func(channel *amqp.Channel) error {
		if err := declareExchange(channel, name, amqp.ExchangeHeaders, amqp.Table{"alternate-exchange": below}); err != nil {
			return err
		}
		args := amqp.Table{"x-message-ttl": int64(1) << level, "x-dead-letter-exchange": below}
		if err := declareQueue(channel, name, args); err != nil {
			return err
		}
		return bindQueue(channel, name, "", name, matching(delayLevelHeader+strconv.Itoa(level), true))
	}}
}

func delayName(level int) string { return delayPrefix + strconv.Itoa(level) }

func matching(header string, value any) amqp.Table {
	return amqp.Table{"x-match": "all", header: value}
}

// withoutJourney drops the headers that a message got on its way. RabbitMQ would take it for one that goes in circles,
// and drop it, if it went that way again.
func withoutJourney(headers amqp.Table) amqp.Table {
	kept := amqp.Table{}
	for name, value := range headers {
		if !strings.HasPrefix(name, delayLevelHeader) && !isDeathHeader(name) && name != "x-delivery-count" {
			kept[name] = value
		}
	}
	return kept
}

func isDeathHeader(name string) bool {
	return name == "x-death" || strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}
