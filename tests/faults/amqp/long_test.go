package amqp_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// RabbitMQ closes the channel of a worker whose task takes longer than consumer_timeout, and delivers all that the
// worker has once more: the task, while it still runs, and its neighbours.
func TestLongTaskAndItsNeighboursRunOnce(t *testing.T) {
	t.Parallel()
	const timeout, long, short, neighbours = 5 * time.Second, 12 * time.Second, 3 * time.Second, 60
	s := newSite(t, disturbedRabbitMQ(t))
	s.consumerTimeout(t, timeout)
	_, err := s.channel.QueueDeclare(s.queue, true, false, false, false, nil) // with the server's timeout
	require.NoError(t, err)

	var mu sync.Mutex
	runs := make(map[string]int)
	server := newServer(configOf(s.node.url, s.queue), amqpadapter.WithMaxAttempts(2))
	defer func() { _ = server.GetBroker().(io.Closer).Close() }()
	takes := func(length time.Duration) func(string) error {
		return func(id string) error {
			<-time.After(length)
			mu.Lock()
			defer mu.Unlock()
			runs[id]++
			return nil
		}
	}
	require.NoError(t, server.RegisterTasks(map[string]any{"long": takes(long), "short": takes(short)}))
	require.NoError(t, s.send("long", "long"))
	for i := range neighbours {
		require.NoError(t, s.send("short", fmt.Sprint("short-", i)))
	}
	worker := server.NewWorker("long", 16)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	// The count of the queue holds what is delivered and not acknowledged only after the worker has left it.
	require.True(t, waitFor(func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(runs) == neighbours+1
	}))
	worker.Quit()
	<-ended
	for id, n := range runs {
		require.Equal(t, 1, n, "runs of "+id)
	}
	require.Zero(t, s.messages(t, s.queue)+s.messages(t, s.queue+".redelivered"))
	dead, err := s.channel.QueueDeclare(s.queue+".dead", true, false, false, false, nil)
	require.NoError(t, err)
	require.Zero(t, dead.Messages)
}

// consumerTimeout sets how long RabbitMQ waits for an acknowledgement, until the test has ended.
func (s *site) consumerTimeout(t *testing.T, timeout time.Duration) {
	set := func(timeout, tick time.Duration) string {
		return fmt.Sprintf("application:set_env(rabbit, consumer_timeout, %d), application:set_env(rabbit, channel_tick_interval, %d).",
			timeout.Milliseconds(), tick.Milliseconds())
	}
	s.node.ctl(t, "eval", set(timeout, timeout/10))
	t.Cleanup(func() { _, _ = s.node.run("eval", set(30*time.Minute, time.Minute)) })
}

// What cannot be moved to the dead letters must not keep other tasks from running.
func TestFullDeadLettersHoldUpNoWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	s.policy(t, "^"+s.queue+".dead$", `{"max-length":1,"overflow":"reject-publish"}`)
	_, err := s.channel.QueueDeclare(s.queue+".dead", true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, s.send("record", "first")) // declares the queue
	for range 10 {
		require.NoError(t, s.channel.Publish("", s.queue, false, false, amqp.Publishing{Body: []byte("{")}))
	}
	s.ids = append(s.ids, "first")
	s.sendMany(t, 100, 0)
	hire(t, s.node, s.queue, 1).awaits(t, s.ids)
}
