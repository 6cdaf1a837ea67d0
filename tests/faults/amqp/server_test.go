package amqp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

func TestPermissionsOfTheDocumentationSuffice(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	cnf := configOf(s.userWith(t, permitted), s.queue)
	server := newServer(cnf,
		amqpadapter.WithMaxAttempts(2), amqpadapter.WithBackoff(10*time.Millisecond, 10*time.Millisecond))
	broker := server.GetBroker().(amqpadapter.Broker)
	defer broker.Close()
	ran := make(chan string, 10)
	require.NoError(t, server.RegisterTasks(map[string]any{
		"record": func(id string) error { ran <- id; return nil },
		"fail":   func(string) error { return nil },
	}))
	worker := server.NewWorker("permitted", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	p := &producer{server: server}
	require.NoError(t, p.send("record", "now"))
	require.Equal(t, "now", <-ran)
	require.NoError(t, p.sendLater("record", "later", 100*time.Millisecond))
	require.Equal(t, "later", <-ran)
	require.NoError(t, p.send("fail", "fails"))
	letters := broker.DeadLetters().(*amqpadapter.DeadLetters)
	require.True(t, waitFor(func() bool {
		n, err := letters.Count(t.Context())
		require.NoError(t, err)
		return n == 1
	}))
	n, err := letters.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	requirePauses(t, cnf, p, ran)
	worker.Quit()
	<-ended
}

func TestPurgedQueueLosesWhatWasPurgedAndNoMore(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	s.sendMany(t, 100, 0)
	purged, err := s.channel.QueuePurge(s.queue, false)
	require.NoError(t, err)
	require.Equal(t, len(s.ids), purged)
	s.ids = nil
	s.sendMany(t, 100, 0)
	hire(t, s.node, s.queue, workers).awaits(t, s.ids)
}

// A worker takes few channels, also of a RabbitMQ that gives few.
func TestFewChannelsSuffice(t *testing.T) {
	t.Parallel()
	s := newSite(t, disturbedRabbitMQ(t))
	s.node.ctl(t, "eval", "application:set_env(rabbit, channel_max, 16).")
	t.Cleanup(func() { _, _ = s.node.run("eval", "application:set_env(rabbit, channel_max, 2047).") })
	c := hire(t, s.node, s.queue, workers)
	s.sendMany(t, 200, 0)
	s.sendMany(t, 200, 50*time.Millisecond)
	c.awaits(t, s.ids)
}

// What has no room in a frame once something is added to its headers goes to the dead letters without them.
func TestSmallFramesHoldUpNoWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t, disturbedRabbitMQ(t))
	s.sendMany(t, 1, 0) // declares the queue
	s.node.ctl(t, "eval", "application:set_env(rabbit, frame_max, 8192).")
	t.Cleanup(func() { _, _ = s.node.run("eval", "application:set_env(rabbit, frame_max, 131072).") })
	for _, body := range []string{"{", `{"Name":"unknown","UUID":"u"}`} {
		for range 20 {
			large := amqp.Publishing{Body: []byte(body), Headers: amqp.Table{"large": strings.Repeat("x", 6000)}}
			require.NoError(t, s.channel.Publish("", s.queue, true, false, large))
		}
	}
	s.sendMany(t, 100, 0)
	hire(t, s.node, s.queue, 1).awaits(t, s.ids)
	require.True(t, waitFor(func() bool { return s.messages(t, s.queue+".dead") == 40 }))
}

// What follows a task may be too large for RabbitMQ. Nothing else waits for it, and what can be kept of it is.
func TestCallbackThatIsTooLargeForRabbitMQLeavesItsBeginningInTheDeadLetters(t *testing.T) {
	t.Parallel()
	const most, unlimited = 100_000, 134_217_728
	s := newSite(t, disturbedRabbitMQ(t))
	set := func(limit int) string {
		return fmt.Sprintf("application:set_env(rabbit, max_message_size, %d).", limit)
	}
	s.node.ctl(t, "eval", set(most))
	t.Cleanup(func() { _, _ = s.node.run("eval", set(unlimited)) })
	server := newServer(configOf(s.node.url, s.queue))
	broker := server.GetBroker().(amqpadapter.Broker)
	defer broker.Close()
	ran := make(chan string, 10)
	require.NoError(t, server.RegisterTasks(map[string]any{
		"grow":   func() (string, error) { ran <- "grow"; return strings.Repeat("x", 2*most), nil },
		"record": func(id string) error { ran <- id; return nil },
	}))
	require.NoError(t, broker.Publish(t.Context(), &tasks.Signature{
		UUID: "grows", Name: "grow", OnSuccess: []*tasks.Signature{{UUID: "too-large", Name: "record"}},
	}))
	require.NoError(t, s.send("record", "other"))
	worker := server.NewWorker("large", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	require.Equal(t, "grow", <-ran)
	require.Equal(t, "other", <-ran)
	worker.Quit()
	<-ended
	require.Zero(t, s.messages(t, s.queue))
	letters := broker.DeadLetters().(*amqpadapter.DeadLetters)
	many := 0
	for letter, err := range letters.All(t.Context()) {
		require.NoError(t, err)
		require.Contains(t, letter.Reason, "too-large")
		require.Len(t, letter.Body, 1<<16)
		require.Nil(t, letter.Task, "it cannot be replayed")
		many++
	}
	require.Equal(t, 1, many)
}

// uuidOf returns the UUID of the task in a message.
func uuidOf(t *testing.T, d amqp.Delivery) string {
	t.Helper()
	var s tasks.Signature
	require.NoError(t, json.Unmarshal(d.Body, &s))
	return s.UUID
}

// distinct takes all messages out of a queue until there are so many different ones, and returns how many there were.
func (s *site) distinct(t *testing.T, many int) int {
	t.Helper()
	deliveries, err := s.channel.Consume(s.queue, "", true, false, false, false, nil)
	require.NoError(t, err)
	seen := make(map[string]bool)
	for len(seen) < many {
		select {
		case d := <-deliveries:
			seen[uuidOf(t, d)] = true
		case <-time.After(time.Minute):
			return len(seen)
		}
	}
	return len(seen)
}

// sendBatches sends tasks many at a time.
func (s *site) sendBatches(t *testing.T, many int, eta *time.Time) {
	t.Helper()
	broker := s.server.GetBroker().(amqpadapter.Broker)
	const size = 1000
	for begin := 0; begin < many; begin += size {
		var batch []*tasks.Signature
		for i := range size {
			batch = append(batch, &tasks.Signature{UUID: fmt.Sprint("task-", begin+i), Name: "record", ETA: eta})
		}
		require.NoError(t, errors.Join(broker.PublishMany(t.Context(), batch)...))
	}
}

func TestManyPersistentTasksOutliveARestart(t *testing.T) {
	t.Parallel()
	const many = 100_000
	s := newSite(t, ladenRabbitMQ(t))
	s.sendBatches(t, many, nil)
	s.node.kill()
	require.NoError(t, s.node.start())
	s.node.await(t)
	connection, err := amqp.Dial(s.node.url)
	require.NoError(t, err)
	defer connection.Close()
	s.channel, err = connection.Channel()
	require.NoError(t, err)
	require.Equal(t, many, s.distinct(t, many))
}

func TestManyDelayedTasksAllArrive(t *testing.T) {
	t.Parallel()
	const many = 50_000
	s := newSite(t, ladenRabbitMQ(t))
	hireFor(t, s.node, s.queue, s.queue+"-other", 1) // delivers what is due
	eta := time.Now().Add(20 * time.Second)
	s.sendBatches(t, many, &eta)
	require.Equal(t, many, s.distinct(t, many))
}
