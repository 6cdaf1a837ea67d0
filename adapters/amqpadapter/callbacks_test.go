package amqpadapter_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// followed is a task whose callback goes to a queue.
func followed(queue string) *tasks.Signature {
	s, callback := task("add", "a"), task("add", "callback")
	callback.RoutingKey = queue
	s.OnSuccess = []*tasks.Signature{callback}
	return s
}

// sending does what Machinery's worker does: it sends callbacks and forgets errors.
func sending(broker brokersiface.Broker, seen *journal) *processor {
	return &processor{Func: func(s *tasks.Signature) error {
		_ = seen.Add(s)
		for _, callback := range s.OnSuccess {
			_ = broker.Publish(context.Background(), callback)
		}
		return nil
	}}
}

func TestCallbackIsSentWhenRabbitMQIsBack(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf, amqpadapter.WithPublishTimeout(time.Second))
	var seen journal
	begun := make(chan struct{})
	p := sending(broker, &seen)
	send := p.Func
	p.Func = func(s *tasks.Signature) error {
		if s.UUID == "a" {
			network.Interrupt()
			close(begun)
		}
		return send(s)
	}
	publish(t, newBroker(t, cnf), followed(""))
	work(t, broker, 1, p)
	<-begun
	eventually(t, func() bool { return network.Refused() >= 4 })
	require.Equal(t, []string{"a"}, seen.UUIDs())
	network.Mend()
	seen.Await(t, "a", "callback")
}

// The context of a task ends when its time is up, and that of a worker when its process is to end: Machinery sends what
// follows with it all the same, and forgets the error.
func TestCallbackIsSentThoughTheContextOfItsTaskHasEnded(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	ended, end := context.WithCancel(t.Context())
	end()
	var seen journal
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		_ = seen.Add(s)
		for _, callback := range s.OnSuccess {
			assert.NoError(t, broker.Publish(ended, callback))
		}
		return nil
	}})
	publish(t, broker, followed(""))
	seen.Await(t, "a", "callback")
}

func TestCallbackThatCanNeverBeSentGoesToTheDeadLettersThoughTheContextOfItsTaskHasEnded(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	ended, end := context.WithCancel(t.Context())
	end()
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		return broker.Publish(ended, s.OnSuccess[0])
	}})
	publish(t, broker, followed(strings.Repeat("x", 300)))
	letters := newDeadLetters(t, cnf)
	eventually(t, func() bool { return count(t, letters) > 0 })
	require.Equal(t, "callback", list(t, letters)[0].UUID)
}

// full makes a queue that has no room, and returns its name.
func full(t *testing.T, cnfURL, queue string) string {
	t.Helper()
	channel := dial(t, cnfURL)
	_, err := channel.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	for accepted := true; accepted; {
		confirmation, err := channel.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{})
		require.NoError(t, err)
		accepted = confirmation.Wait()
	}
	return queue
}

func TestTaskWhoseCallbackCouldNotBeSentBeforeTheWorkerStoppedIsKept(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	queue := full(t, cnf.Broker, customQueueOf(cnf))
	broker := newBroker(t, cnf, amqpadapter.WithStopTimeout(500*time.Millisecond))
	publish(t, newBroker(t, cnf), followed(queue))
	var seen journal
	ended := work(t, broker, 1, sending(broker, &seen))
	seen.Await(t, "a")
	broker.StopConsuming()
	<-ended
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 1 })
}

func TestCallbackThatCanNeverBeSentGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	headers := make(tasks.Headers)
	for i := range 10_000 {
		headers[fmt.Sprint("header-", i)] = strings.Repeat("x", 20)
	}
	for name, c := range map[string]struct {
		spoil  func(*tasks.Signature)
		reason string
	}{
		"routing key that is too long": {func(s *tasks.Signature) { s.RoutingKey = strings.Repeat("x", 300) }, amqpadapter.ErrTooLarge.Error()},
		"headers that are too large":   {func(s *tasks.Signature) { s.Headers = headers }, amqpadapter.ErrTooLarge.Error()},
		"message that is too large":    {func(s *tasks.Signature) { s.Args[0].Value = strings.Repeat("x", 2_000_000) }, "WithMaxMessage"},
		"value that has no JSON":       {func(s *tasks.Signature) { s.Args[0].Value = math.NaN() }, "task add, UUID callback: encode task add"},
	} {
		for _, own := range []string{"", ".own"} {
			t.Run(name+own, func(t *testing.T) {
				t.Parallel()
				cnf := rabbitMQ(t)
				opts := []amqpadapter.BrokerOption{amqpadapter.WithMaxMessage(1_000_000)}
				letters := newDeadLetters(t, cnf)
				if own != "" {
					letters = ownDeadLetters(t, cnf)
					opts = append(opts, amqpadapter.WithDeadLetters(letters))
				}
				broker := newBroker(t, cnf, opts...)
				var seen journal
				p := sending(broker, &seen)
				send := p.Func
				p.Func = func(s *tasks.Signature) error {
					for _, callback := range s.OnSuccess {
						callback.Args = []tasks.Arg{{Type: "string", Value: "x"}}
						c.spoil(callback)
					}
					return send(s)
				}
				work(t, broker, 1, p)
				publish(t, broker, followed(""))
				eventually(t, func() bool { return count(t, letters) > 0 })
				publish(t, broker, task("add", "b"))
				seen.Await(t, "a", "b")
				broker.StopConsuming()
				require.Zero(t, waiting(t, cnf, cnf.DefaultQueue), "the task itself is done")
				require.Len(t, list(t, letters), 1)
				require.Contains(t, list(t, letters)[0].Reason, c.reason)
				if list(t, letters)[0].Task != nil {
					require.Equal(t, "callback", list(t, letters)[0].UUID)
				}
			})
		}
	}
}

func TestTaskRunsAgainWhoseCallbackCanNeitherBeSentNorKept(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	letters := ownDeadLetters(t, cnf)
	broker := newBroker(t, cnf, quickly, amqpadapter.WithDeadLetters(letters))
	var seen journal
	work(t, broker, 1, sending(broker, &seen))
	require.NoError(t, letters.Close())
	publish(t, broker, followed(strings.Repeat("x", 300)))
	eventually(t, func() bool { return seen.Len() >= 2 })
}

// ownDeadLetters are others than those of a broker's default queue.
func ownDeadLetters(t *testing.T, cnf *config.Config) *amqpadapter.DeadLetters {
	t.Helper()
	letters, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, customQueueOf(cnf)+".dead")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, letters.Close()) })
	return letters
}
