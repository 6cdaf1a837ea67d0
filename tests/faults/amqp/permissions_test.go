package amqp_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	// permitted are the names that a user needs, to configure, write and read, as the package's documentation lists them.
	permitted = `^(amq\.default|machinery\.delayed\..+|EXCHANGE(\.due)?|QUEUE(\.redelivered|\.dead|\.pause)?)$`
	// permittedEarlier are those of the versions that knew no pause.
	permittedEarlier = `^(amq\.default|machinery\.delayed\..+|EXCHANGE(\.due)?|QUEUE(\.redelivered|\.dead)?)$`
)

// userWith makes a user with rights for these names, and returns its address of the node.
func (s *site) userWith(t *testing.T, names string) string {
	t.Helper()
	names = strings.NewReplacer("EXCHANGE", s.queue, "QUEUE", s.queue).Replace(names)
	user := "user-" + rand.Text()
	s.node.ctl(t, "add_user", user, "secret")
	t.Cleanup(func() { _, _ = s.node.run("delete_user", user) })
	s.node.ctl(t, "set_permissions", user, names, names, names)
	address, err := url.Parse(s.node.url)
	require.NoError(t, err)
	address.User = url.UserPassword(user, "secret")
	return address.String()
}

// requirePauses pauses a queue that a worker consumes, and resumes it.
func requirePauses(t *testing.T, cnf *config.Config, p *producer, ran <-chan string) {
	t.Helper()
	source := amqpadapter.NewSource(cnf)
	defer source.(io.Closer).Close()
	require.NoError(t, source.Pause(t.Context(), cnf.DefaultQueue))
	require.NoError(t, p.send("record", "paused"))
	require.True(t, waitFor(func() bool { return waitingIn(t, source) == 1 }))
	require.Empty(t, ran)
	require.NoError(t, source.Resume(t.Context(), cnf.DefaultQueue))
	require.Equal(t, "paused", <-ran)
}

// waitingIn returns how many tasks wait in the only queue of a source.
func waitingIn(t *testing.T, source inspect.Source) int {
	t.Helper()
	queues, err := source.Queues(t.Context())
	require.NoError(t, err)
	require.Len(t, queues, 1)
	return queues[0].Waiting
}

// A user with the rights that an earlier version needed cannot pause, and that is all.
func TestWorkersRunWithoutTheRightToPause(t *testing.T) {
	t.Parallel()
	s := newSite(t, rabbitMQ(t))
	cnf := configOf(s.userWith(t, permittedEarlier), s.queue)
	server := newServer(cnf)
	broker := server.GetBroker().(amqpadapter.Broker)
	defer broker.Close()
	ran := make(chan string, 10)
	require.NoError(t, server.RegisterTask("record", func(id string) error { ran <- id; return nil }))
	worker := server.NewWorker("permitted", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	p := &producer{server: server}
	require.NoError(t, p.send("record", "a"))
	require.Equal(t, "a", <-ran)

	source := amqpadapter.NewSource(cnf)
	defer source.(io.Closer).Close()
	refused, ok := errors.AsType[*amqp.Error](source.Pause(t.Context(), cnf.DefaultQueue))
	require.True(t, ok)
	require.Equal(t, amqp.AccessRefused, refused.Code)
	require.NoError(t, p.send("record", "b"))
	require.Equal(t, "b", <-ran)
	worker.Quit()
	<-ended
}

func TestPauseOutlivesTheServerAndItsWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t, disturbedRabbitMQ(t))
	source := amqpadapter.NewSource(configOf(s.node.url, s.queue))
	defer source.(io.Closer).Close()
	c := hire(t, s.node, s.queue, workers)
	s.sendMany(t, 10, 0)
	c.awaits(t, s.ids)
	require.NoError(t, source.Pause(t.Context(), s.queue))
	s.sendMany(t, 10, 0)
	s.node.kill()
	require.NoError(t, s.node.start())
	s.node.await(t)
	c.kill(0) // another takes its place
	require.True(t, waitFor(func() bool {
		queues, err := source.Queues(t.Context())
		return err == nil && queues[0].Paused && queues[0].Waiting == 10
	}))
	require.Len(t, c.done(t), 10)
	require.NoError(t, source.Resume(t.Context(), s.queue))
	c.awaits(t, s.ids)
}
