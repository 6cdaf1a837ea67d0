package amqpadapter

import (
	"errors"
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// levels makes all levels, whichever a delay needs: RabbitMQ 3.10 may lose what it has confirmed for a quorum queue that
// it made less than a second before it is killed, and the levels of a worker are older than that when they are needed.
// RabbitMQ is asked for an answer at the end only. The due exchange must exist.
func (t topology) levels() declaration {
	top := t.delayName(delayLevels - 1)
	return declaration{id: "exchange " + top, declare: func(channel *amqp.Channel) error {
		defer creation(top)()
		closed := channel.NotifyClose(make(chan *amqp.Error, 1))
		err := requestLevels(t, channel)
		if err == nil {
			err = channel.ExchangeDeclarePassive(top, amqp.ExchangeHeaders, true, false, false, false, nil)
		}
		if errors.Is(err, amqp.ErrClosed) {
			err = reasonOf(closed)
		}
		if err != nil {
			return fmt.Errorf("declare the queues of delayed tasks: %w", err)
		}
		return nil
	}}
}

// reasonOf returns why a channel is closed, where RabbitMQ has said so.
func reasonOf(closed <-chan *amqp.Error) error {
	if reason := <-closed; reason != nil {
		return reason
	}
	return amqp.ErrClosed
}

// requestLevels asks RabbitMQ for all levels. Each of them needs the one below.
func requestLevels(t topology, channel *amqp.Channel) error {
	for level := range delayLevels {
		if err := t.requestLevel(channel, level); err != nil {
			return err
		}
	}
	return nil
}

// requestLevel asks for the exchange of a level, which sends on what does not wait there, and for its queue.
func (t topology) requestLevel(channel *amqp.Channel, level int) error {
	name, below := t.delayName(level), t.below(level)
	if err := channel.ExchangeDeclare(name, amqp.ExchangeHeaders, true, false, false, true, nil); err != nil {
		return err
	}
	if err := channel.ExchangeBind(below, "", name, true, matching(levelHeaders[level], false)); err != nil {
		return err
	}
	if _, err := channel.QueueDeclare(name, true, false, false, true, t.delayArgs(int64(1)<<level, below)); err != nil {
		return err
	}
	return channel.QueueBind(name, "", name, true, matching(levelHeaders[level], true))
}

// levelHeaders are the names of the headers that say whether a message needs a level.
var levelHeaders = func() (names [delayLevels]string) {
	for level := range names {
		names[level] = delayLevelHeader + strconv.Itoa(level)
	}
	return names
}()

// below names the exchange after a level.
func (t topology) below(level int) string {
	if level == 0 {
		return dueExchange
	}
	return t.delayName(level - 1)
}

// delayArgs are those of a queue in which messages wait for some milliseconds and then go to an exchange.
func (t topology) delayArgs(milliseconds int64, exchange string) amqp.Table {
	args := amqp.Table{"x-queue-type": t.delayType(), "x-message-ttl": milliseconds, "x-dead-letter-exchange": exchange}
	if t.delayType() == amqp.QueueTypeQuorum {
		args["x-dead-letter-strategy"], args["x-overflow"] = "at-least-once", "reject-publish"
	}
	return args
}

func (t topology) delayName(level int) string {
	if t.delayType() == amqp.QueueTypeClassic {
		return classicDelayPrefix + strconv.Itoa(level)
	}
	return delayPrefix + strconv.Itoa(level)
}

// delayType is quorum unless WithQueueType says classic: only quorum queues lose no message on its way.
func (t topology) delayType() string {
	if t.queueType == amqp.QueueTypeClassic {
		return amqp.QueueTypeClassic
	}
	return amqp.QueueTypeQuorum
}
