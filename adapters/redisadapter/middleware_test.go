package redisadapter_test

import (
	"errors"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestWhatTheMiddlewareRefusesGoesToTheBrokersDeadLetters(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		own := redisadapter.NewDeadLetters(s.client, s.name+":own")
		byDefault := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		t.Run("by default", func(t *testing.T) { s.refuses(t, byDefault) })
		t.Run("of its own", func(t *testing.T) { s.refuses(t, own, redisadapter.WithDeadLetters(own)) })
	})
}

// refuses has a worker refuse a task.
func (s *site) refuses(t *testing.T, letters *redisadapter.DeadLetters, options ...redisadapter.BrokerOption) {
	s.cnf.NoUnixSignals = true
	broker, backend := redisadapter.NewBroker(s.cnf, s.client, options...), redisadapter.NewBackend(s.cnf, s.client)
	server := machinery.NewServer(s.cnf, broker, backend, eagerlock.New())
	m, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("add", func(int8) error { return errors.New("never called") }))
	s.work(t, server)
	_, err = server.SendTask(task("add", s.name+"a", tasks.Arg{Type: "int64", Value: 300}))
	require.NoError(t, err)
	require.Contains(t, awaitLetters(t, letters, 1)[0].Reason, "overflows")
}

// work runs a worker of the server until the test has ended.
func (s *site) work(t *testing.T, server *machinery.Server) {
	t.Helper()
	worker := server.NewWorker(s.name, 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		<-ended
	})
}
