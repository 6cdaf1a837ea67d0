package amqpadapter

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// acknowledgedChannel is a channel of RabbitMQ as far as it is told of acknowledgements.
type acknowledgedChannel struct {
	amqp.Acknowledger
	delivered []uint64 // and not acknowledged
	told      []string // such as "3" and "to 5"
	failure   error
	meanwhile func() // while it is told; nil where nothing happens
}

func (c *acknowledgedChannel) Ack(tag uint64, multiple bool) error {
	if c.meanwhile != nil {
		c.meanwhile()
	}
	if c.failure != nil {
		return c.failure
	}
	all := tag == 0 && multiple // that is what it means to RabbitMQ
	if !all && !slices.Contains(c.delivered, tag) {
		return fmt.Errorf("unknown delivery tag %d", tag)
	}
	told := fmt.Sprint(tag)
	if multiple {
		told = "to " + told
	}
	c.told = append(c.told, told)
	c.delivered = slices.DeleteFunc(c.delivered, func(other uint64) bool {
		return all || other == tag || multiple && other < tag
	})
	return nil
}

// acknowledging is an acknowledger and what is around it.
type acknowledging struct {
	*acknowledger
	channel *acknowledgedChannel
	failed  []uint64
	open    sync.WaitGroup
}

// newAcknowledging has so many messages delivered.
func newAcknowledging(most, messages int) *acknowledging {
	a := &acknowledging{channel: &acknowledgedChannel{}}
	for tag := range messages {
		a.channel.delivered = append(a.channel.delivered, uint64(tag+1))
	}
	a.acknowledger = &acknowledger{
		channel: a.channel,
		runs:    newRuns(),
		most:    most,
		begin:   func() func() { a.open.Add(1); return a.open.Done },
		failed:  func(d received, _ error) { a.failed = append(a.failed, d.DeliveryTag) },
	}
	return a
}

// delivered returns a message of this package, which no other is like.
func delivered(tag uint64) received {
	id := fmt.Sprint(messageIDPrefix, tag)
	return receivedFrom("queue", amqp.Delivery{DeliveryTag: tag, MessageId: id})
}

func (a *acknowledging) deliverAll(tags ...uint64) {
	for _, tag := range tags {
		a.deliver(delivered(tag))
	}
}

func (a *acknowledging) acknowledgeAll(tags ...uint64) {
	for _, tag := range tags {
		a.acknowledge(delivered(tag))
	}
}

// Whatever the order in which messages are handed out and dealt with, RabbitMQ is told of each one that is dealt with,
// and of no other.
func TestAcknowledgesWhatIsDealtWith(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.IntRange(1, 40).Draw(t, "messages")
		a := newAcknowledging(rapid.IntRange(1, 10).Draw(t, "most"), messages)
		left := slices.Clone(a.channel.delivered)
		order := rapid.Permutation(left).Draw(t, "order")
		var running []uint64
		for _, tag := range order[:rapid.IntRange(0, messages).Draw(t, "handed out")] {
			a.deliverAll(tag)
			running = append(running, tag)
			for len(running) > 0 && rapid.Bool().Draw(t, "one ends") {
				i := rapid.IntRange(0, len(running)-1).Draw(t, "which")
				ended := running[i]
				running = slices.Delete(running, i, i+1)
				left = slices.DeleteFunc(left, func(tag uint64) bool { return tag == ended })
				a.acknowledgeAll(ended)
			}
		}
		a.open.Wait()
		require.Empty(t, a.failed)
		require.Equal(t, left, a.channel.delivered)
	})
}

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		most            int
		delivered, done []uint64
		atOnce, later   []string
	}{
		"leave together":                    {3, []uint64{1, 2, 3}, []uint64{2, 3, 1}, []string{"to 3"}, nil},
		"leave at once where none may wait": {1, []uint64{1, 2}, []uint64{1, 2}, []string{"to 1", "to 2"}, nil},
		"wait for a while":                  {3, []uint64{1, 2, 3}, []uint64{1, 2}, nil, []string{"to 2"}},
		"do not wait for a task that runs":  {3, []uint64{1, 2, 3, 4}, []uint64{4, 1, 3}, []string{"to 1", "4", "3"}, nil},
		"count with what is yet to be handed out": {
			2, []uint64{3, 4}, []uint64{3, 4}, []string{"3", "4"}, nil},
		"leave in turn": {
			2, []uint64{1, 2, 3, 4, 5}, []uint64{1, 3, 2, 5, 4}, []string{"to 1", "3", "to 2", "5"}, []string{"to 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAcknowledging(test.most, 5)
				a.deliverAll(test.delivered...)
				a.acknowledgeAll(test.done...)
				a.mu.Lock()
				require.Equal(t, test.atOnce, a.channel.told)
				a.mu.Unlock()
				began := time.Now()
				a.open.Wait()
				require.Equal(t, append(test.atOnce, test.later...), a.channel.told)
				require.Equal(t, test.later != nil, time.Since(began) > 0, "the channel stays open for those that wait only")
			})
		})
	}
}

// One that is lost with its connection comes again, and must not run again.
func TestAcknowledgementThatWaitsIsRemembered(t *testing.T) {
	t.Parallel()
	a := newAcknowledging(2, 1)
	a.deliverAll(1)
	a.acknowledgeAll(1)
	require.True(t, a.runs.takeSettled(delivered(1).key))
	a.open.Wait()
	require.True(t, a.runs.takeSettled(delivered(1).key))
}

func TestEachAcknowledgementThatFailsIsReported(t *testing.T) {
	t.Parallel()
	a := newAcknowledging(3, 4)
	a.channel.failure = errors.New("channel is closed")
	a.deliverAll(1, 2, 3, 4)
	a.acknowledgeAll(1, 2, 4)
	require.ElementsMatch(t, []uint64{1, 2, 4}, a.failed)
}

// Another message that is like it may come, and must run.
func TestMessageWithoutAnIDIsAcknowledgedAtOnceAndNotRemembered(t *testing.T) {
	t.Parallel()
	a := newAcknowledging(3, 3)
	anonymous := receivedFrom("queue", amqp.Delivery{DeliveryTag: 2})
	a.deliverAll(1, 2)
	a.acknowledgeAll(1)
	a.acknowledge(anonymous)
	require.Equal(t, []string{"to 2"}, a.channel.told)
	require.False(t, a.runs.takeSettled(anonymous.key))

	a.channel.failure = errors.New("channel is closed")
	a.acknowledge(anonymous)
	require.True(t, a.runs.takeSettled(anonymous.key))

	a.acknowledge(anonymous)
	a.channel.failure = nil
	anonymous.DeliveryTag = 3
	a.acknowledge(anonymous)
	require.False(t, a.runs.takeSettled(anonymous.key), "it may be the one that had failed")
}

// The other may be one that was handed out, was lost with its channel, and never ran.
func TestMessageThatComesAgainIsNotTakenForOneThatIsLikeIt(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]error{
		"which is acknowledged for the first time": nil,
		"which comes again too":                    errors.New("channel is closed"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, other := newAcknowledging(3, 1), newAcknowledging(3, 1)
			other.runs = a.runs
			c := &consumer{handler: &handler{runs: a.runs}}
			first := (&session{acknowledger: a.acknowledger}).received("queue", amqp.Delivery{DeliveryTag: 1})
			second := (&session{acknowledger: other.acknowledger}).received("queue", amqp.Delivery{DeliveryTag: 1})
			if before != nil {
				a.channel.failure = before
				a.acknowledge(first)
				a.channel.failure = nil
			}
			var runs bool
			a.channel.meanwhile = func() { runs = c.hold(second) }
			if before != nil {
				require.False(t, c.hold(first))
			} else {
				a.acknowledge(first)
			}
			require.True(t, runs)
			require.Empty(t, other.channel.told)
		})
	}
}

// Neither a worker nor its channel ends before what waits is sent.
func TestWorkerAcknowledgesTasksThatEndTogetherAsOne(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(*consumer, *session){
		"before it ends":               func(c *consumer, _ *session) { c.tasks.Wait() },
		"before its channel is closed": func(_ *consumer, s *session) { s.tasks.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cnf := newInternalConfig()
				cnf.AMQP.PrefetchCount = 8
				var log bytes.Buffer
				b := NewBroker(cnf, WithLogger(slog.New(slog.NewTextHandler(&log, nil)))).(*broker)
				worker := b.workers.Start(lifecycle.Name{})
				c := newConsumer(b, worker, "", 1, &adaptertest.Processor{})
				s := c.newSession(&callChannel{Channel: &amqp.Channel{}})
				channel := &acknowledgedChannel{delivered: []uint64{1, 2, 3}}
				s.acknowledger.channel = channel
				acknowledge := func(tags ...uint64) {
					for _, tag := range tags {
						c.acknowledge(s.received(c.queue, delivered(tag).Delivery))
					}
					wait(c, s)
				}
				acknowledge(1, 2)
				require.Equal(t, []string{"to 2"}, channel.told)
				require.Empty(t, log.String())
				channel.failure = errors.New("channel is closed")
				acknowledge(3)
				require.Contains(t, log.String(), "it will come again")
				worker.End()
				require.NoError(t, b.Close())
			})
		})
	}
}

// What waits to be acknowledged leaves no task without a place, nor RabbitMQ without work.
func TestSoManyAcknowledgementsWait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ concurrency, prefetch, most int }{
		{1, 1, 1}, {1, 3, 1}, {2, 6, 3}, {8, 16, 8}, {10, 3, 1}, {10, 16, 6}, {1, 500, maxAcknowledgements},
		{0, 16, 1}, {4, 0, maxAcknowledgements}, {0, 0, maxAcknowledgements},
	} {
		running := maxRunning(test.concurrency, test.prefetch)
		require.Equal(t, test.most, mostAcknowledgements(test.prefetch, running), "%+v", test)
	}
}

// What was due and is delivered already must not be delivered once more.
func TestForwarderOnlyAcknowledgesWhatItHasDeliveredBefore(t *testing.T) {
	t.Parallel()
	a := newAcknowledging(3, 1)
	d := delivered(1)
	d.Redelivered = true
	a.runs.remember(d.key)
	a.deliver(d)
	(&forwarder{runs: a.runs}).forward(d, a.acknowledger)
	a.open.Wait()
	require.Equal(t, []string{"to 1"}, a.channel.told)
}
