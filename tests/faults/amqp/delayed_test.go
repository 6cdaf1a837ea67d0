package amqp_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// A site is a queue on the node with its producer, and a connection and a channel past the adapter.
type site struct {
	*producer
	node       *node
	queue      string
	connection *amqp.Connection
	channel    *amqp.Channel
}

// newSite returns one on a node: that of rabbitMQ, disturbedRabbitMQ or ladenRabbitMQ.
func newSite(t *testing.T, n *node) *site {
	t.Helper()
	queue := "faults-" + rand.Text()
	connection, err := amqp.Dial(n.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	return &site{producer: newProducer(t, n, queue), node: n, queue: queue, connection: connection, channel: channel}
}

// sendMany sends tasks that are due after a delay, and returns when all are confirmed.
func (s *site) sendMany(t *testing.T, many int, delay time.Duration) {
	t.Helper()
	ids := make(chan string)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for id := range ids {
				for s.sendLater("record", id, delay) != nil && t.Context().Err() == nil {
				}
			}
		})
	}
	for range many {
		id := fmt.Sprintf("task-%05d", len(s.ids))
		s.ids = append(s.ids, id)
		ids <- id
	}
	close(ids)
	sending.Wait()
}

// messages returns how many messages in a queue wait to be taken.
func (s *site) messages(t *testing.T, queue string) int {
	t.Helper()
	found, err := s.channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	return found.Messages
}

// consumers returns how many take from a queue, none where there is no such queue.
func (s *site) consumers(t *testing.T, queue string) int {
	t.Helper()
	channel, err := s.connection.Channel()
	require.NoError(t, err)
	defer func() { _ = channel.Close() }()
	found, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		var refused *amqp.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, amqp.NotFound, refused.Code)
		return 0
	}
	return found.Consumers
}

// forward has a worker of another queue deliver what is due. What nobody takes for two seconds RabbitMQ delivers itself,
// and again only after three minutes.
func (s *site) forward(t *testing.T) {
	t.Helper()
	hireFor(t, s.node, s.queue, s.queue+"-other", 1)
	require.True(t, waitFor(func() bool { return s.consumers(t, s.queue+".due") == 1 }))
}

// policy sets a policy until the test has ended.
func (s *site) policy(t *testing.T, pattern, definition string) {
	t.Helper()
	name := "faults-" + rand.Text()
	s.node.ctl(t, "set_policy", name, pattern, definition, "--apply-to", "queues")
	t.Cleanup(func() { _, _ = s.node.run("clear_policy", name) })
}

func TestDelayedTasksOutliveAFullQueue(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	s.policy(t, "^"+s.queue+"$", `{"max-length":10,"overflow":"reject-publish"}`)
	s.forward(t)
	s.sendMany(t, 200, time.Second)
	require.True(t, waitFor(func() bool { return s.messages(t, s.queue) == 10 }))
	other := newSite(t, s.node)
	other.sendMany(t, 100, time.Second)
	hire(t, other.node, other.queue, 1).awaits(t, other.ids) // nothing is held up
	hire(t, s.node, s.queue, workers).awaits(t, s.ids)
}

func TestDelayedTasksOutliveTheirQueue(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	s.forward(t)
	s.sendMany(t, 100, 2*time.Second)
	_, err := s.channel.QueueDelete(s.queue, false, false, false)
	require.NoError(t, err)
	_, err = s.channel.QueueDeclare(s.queue, true, false, false, false, nil)
	require.NoError(t, err)
	hire(t, s.node, s.queue, workers).awaits(t, s.ids)
}

func TestDelayedTasksOutliveTheirExchange(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	c := hire(t, s.node, s.queue, workers)
	s.sendMany(t, 1, 0)
	c.awaits(t, s.ids)
	s.sendMany(t, 40, 2*time.Second)
	require.NoError(t, s.channel.ExchangeDelete(s.queue, false, false))
	require.NoError(t, s.channel.ExchangeDeclare(s.queue, amqp.ExchangeDirect, true, false, false, false, nil))
	s.sendMany(t, 40, 2*time.Second)
	s.sendMany(t, 40, 0)
	c.awaits(t, s.ids)
}

func TestDelayedTasksOutliveANodeThatIsKilledWhileTheyComeDue(t *testing.T) {
	t.Parallel()
	s := newSite(t, disturbedRabbitMQ(t))
	c := hire(t, s.node, s.queue, workers)
	for range 12 { // batches that come due one after the other
		s.sendMany(t, 400, 2*time.Second)
	}
	require.True(t, waitFor(func() bool { return len(c.done(t)) > 1000 }))
	s.node.kill()
	require.NoError(t, s.node.start())
	s.node.await(t)
	c.awaits(t, s.ids)
}

// A policy with expires deletes the queues of delayed tasks, which nobody consumes, and RabbitMQ applies one policy to a
// queue: that of the highest priority, which the documentation says how to set.
func TestDelayedTasksOutliveAPolicyThatDeletesQueues(t *testing.T) {
	t.Parallel()
	s := newSite(t, disturbedRabbitMQ(t))
	s.node.ctl(t, "set_policy", "--priority", "100", "--apply-to", "queues", "delayed-tasks",
		`^machinery\.delayed\.|\.due$`, `{"overflow":"reject-publish"}`)
	t.Cleanup(func() { _, _ = s.node.run("clear_policy", "delayed-tasks") })
	s.policy(t, ".*", `{"expires":1000}`)
	s.sendMany(t, 30, 10*time.Second)
	hire(t, s.node, s.queue, workers).awaits(t, s.ids)
}
