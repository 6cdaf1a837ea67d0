package example

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// Tasks are registered with Machinery, and nothing is registered in the registry.
func TestTheExamplePrintsTheSameWithTheMiddleware(t *testing.T) {
	for name, edits := range map[string]func(*testing.T) []edit{"go-redis": onRedis, "redigo": onRedis, "amqp": onRabbitMQ} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one of its tasks takes ten seconds
			alone, installed := start(t, name, edits(t)), start(t, name, append(edits(t), install...))
			sent, worked := alone.finish(t)
			sentInstalled, workedInstalled := installed.finish(t)
			assert.Equal(t, sent, sentInstalled)
			assert.Equal(t, worked, workedInstalled)
			assert.Contains(t, sent, "(((1 + 1) + (2 + 2)) + (5 + 6)) * 4 = 68")
			assert.Contains(t, worked, "Long running task finished")
		})
	}
}

func onRedis(t *testing.T) []edit {
	return []edit{{"localhost:6379", miniredis.RunT(t).Addr()}}
}

// onRabbitMQ gives the example names of its own, since the RabbitMQ may be anybody's.
func onRabbitMQ(t *testing.T) []edit {
	address, name := services.AMQP(t), "example-"+uuid.NewString()
	t.Cleanup(func() {
		connection, err := amqp.Dial(address)
		require.NoError(t, err)
		defer func() { _ = connection.Close() }()
		channel, err := connection.Channel()
		require.NoError(t, err)
		_, err = channel.QueueDelete(name, false, false, false)
		require.NoError(t, err)
		require.NoError(t, channel.ExchangeDelete(name, false, false))
	})
	return []edit{
		{"amqp://guest:guest@localhost:5672/", address},
		{`"machinery_tasks"`, `"` + name + `"`}, {`"machinery_task"`, `"` + name + `"`}, {`"machinery_exchange"`, `"` + name + `"`},
	}
}

// A pair is the example's two processes.
type pair struct {
	sender, worker   *exec.Cmd
	sent, workerSaid strings.Builder
}

func start(t *testing.T, example string, edits []edit) *pair {
	binary := build(t, example, edits)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	p := &pair{sender: exec.CommandContext(ctx, binary, "send"), worker: exec.CommandContext(ctx, binary, "worker")}
	p.sender.Stdout, p.sender.Stderr = &p.sent, &p.sent
	p.worker.Stdout, p.worker.Stderr = &p.workerSaid, &p.workerSaid
	require.NoError(t, p.worker.Start())
	t.Cleanup(func() { _ = p.worker.Process.Kill() })
	require.NoError(t, p.sender.Start())
	return p
}

// finish waits for the sender, then stops the worker, and returns what the example has printed: the sender in its order,
// and the worker in any, since it runs tasks beside each other.
func (p *pair) finish(t *testing.T) (sent, worked []string) {
	require.NoError(t, p.sender.Wait(), p.sent.String())
	require.NoError(t, p.worker.Process.Signal(syscall.SIGTERM))
	_ = p.worker.Wait() // Machinery's own brokers end with an error
	worked = printed(p.workerSaid.String())
	slices.Sort(worked)
	return printed(p.sent.String()), worked
}

var (
	line   = regexp.MustCompile(`(?m) (?:main|tasks)\.go:\d+ +(.*?) *(?:\x1b\[0m)?$`)
	random = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// printed returns what the example itself has logged, Machinery's own messages left out.
func printed(log string) (lines []string) {
	for _, match := range line.FindAllStringSubmatch(log, -1) {
		lines = append(lines, random.ReplaceAllString(match[1], "UUID"))
	}
	return lines
}
