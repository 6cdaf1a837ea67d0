package amqpadapter

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// acknowledgeWithin is how long an acknowledgement may wait for others.
	acknowledgeWithin = time.Millisecond
	// maxAcknowledgements bounds those that wait, and with them the tasks that run again when their worker is lost.
	maxAcknowledgements = 32
)

// mostAcknowledgements is how many of a worker may leave at once. While they wait RabbitMQ has handed out enough of the
// queue for all tasks that can run, and it has half of what it may hand out to do meanwhile. Of the queue beside it hands
// out no more than can run: a task from there may have to wait for acknowledgements.
func mostAcknowledgements(prefetch, running int) int {
	if prefetch == 0 {
		return maxAcknowledgements
	}
	return max(1, min(prefetch-running, prefetch/2, maxAcknowledgements))
}

// An acknowledger acknowledges the messages of one channel. It tells RabbitMQ of several at once where no message before
// them is left, which spares it a third of what a short task costs it.
type acknowledger struct {
	channel amqp.Acknowledger
	runs    *runs
	// most acknowledgements leave at once.
	most int
	// begin notes that the channel must stay open until end is called.
	begin func() (end func())
	// failed is told of each message that could not be acknowledged: it will come again.
	failed func(received, error)

	mu      sync.Mutex
	tags    deliveryTags
	waiting []received
	// stop keeps those that wait from being sent once more; nil where none wait for others.
	stop func()
}

// deliver notes a message that was handed out.
func (a *acknowledger) deliver(d received) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tags.deliver(d.DeliveryTag)
}

// acknowledge tells RabbitMQ, a little later, that nothing is left to do for a message, which is remembered in case that
// it comes again all the same. RabbitMQ does not confirm acknowledgements: one that is sent may be lost on its way. Where
// another message may have the same key it tells RabbitMQ at once: only one of which it could not is remembered, and
// not before, or the other would count as dealt with.
func (a *acknowledger) acknowledge(d received) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.key.isUnique() {
		a.runs.remember(d.key)
	}
	a.tags.settle(d.DeliveryTag)
	a.waiting = append(a.waiting, d)
	switch {
	case len(a.waiting) >= a.most || !d.key.isUnique():
		a.send()
	case len(a.waiting) == 1:
		a.sendLater()
	}
}

func (a *acknowledger) sendLater() {
	end := a.begin()
	timer := time.AfterFunc(acknowledgeWithin, func() {
		defer end()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.send()
	})
	a.stop = func() {
		if timer.Stop() {
			end()
		}
	}
}

// send acknowledges all that wait. The last one before which no message is left stands for those before it.
func (a *acknowledger) send() {
	settledTo := a.tags.settledTo()
	var last uint64
	for _, d := range a.waiting {
		if d.DeliveryTag <= settledTo {
			last = max(last, d.DeliveryTag)
		}
	}
	var err error
	if last > 0 {
		err = a.channel.Ack(last, true)
	}
	for _, d := range a.waiting {
		if d.DeliveryTag <= settledTo {
			a.sent(d, err)
		} else {
			a.sent(d, a.channel.Ack(d.DeliveryTag, false))
		}
	}
	clear(a.waiting)
	a.waiting = a.waiting[:0]
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}

// sent notes what became of an acknowledgement.
func (a *acknowledger) sent(d received, err error) {
	if err != nil {
		a.runs.remember(d.key)
		a.failed(d, err)
	} else if !d.key.isUnique() {
		a.runs.forget(d.key)
	}
}
