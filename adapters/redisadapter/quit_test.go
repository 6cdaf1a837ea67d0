package redisadapter_test

import (
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func newServer(t *testing.T, s *site, seen *journal) *machinery.Server {
	s.cnf.NoUnixSignals = true
	server := machinery.NewServer(s.cnf, newWorkingBroker(s), redisadapter.NewBackend(s.cnf, s.client), eager.New())
	_, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, server.RegisterTask("add", func(uuid string) error { return seen.add(task("add", uuid)) }))
	return server
}

func send(t *testing.T, s *site, server *machinery.Server, uuid string) {
	_, err := server.SendTask(&tasks.Signature{Name: "add", UUID: s.name + uuid, Args: []tasks.Arg{{Type: "string", Value: uuid}}})
	require.NoError(t, err)
}

func launch(worker *machinery.Worker) <-chan struct{} {
	ended, result := make(chan struct{}), make(chan error, 1)
	worker.LaunchAsync(result)
	go func() {
		defer close(ended)
		<-result
	}()
	return ended
}

func TestWorkersOfOneServerQuitOneByOne(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		var seen journal
		server := newServer(t, s, &seen)
		first, second := server.NewWorker("first", 1), server.NewWorker("second", 1)
		firstEnded, secondEnded := launch(first), launch(second)
		send(t, s, server, "a")
		seen.awaitUUIDs(t, "a")

		require.NoError(t, redisadapter.Quit(first))
		eventually(t, closed(firstEnded))
		send(t, s, server, "b")
		seen.awaitUUIDs(t, "a", "b")
		require.False(t, closed(secondEnded)())
		require.NoError(t, redisadapter.Quit(first), "once more does no harm")

		require.NoError(t, redisadapter.Quit(second))
		eventually(t, closed(secondEnded))
		require.NoError(t, s.client.Ping(t.Context()).Err(), "the client is the caller's")
	})
}

func TestEveryWorkerOfAServerMayQuit(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		var seen journal
		server := newServer(t, s, &seen)
		first, second := server.NewWorker("first", 1), server.NewWorker("second", 1)
		firstEnded, secondEnded := launch(first), launch(second)
		first.Quit()
		second.Quit()
		eventually(t, closed(firstEnded))
		eventually(t, closed(secondEnded))
		send(t, s, server, "a")
		require.Equal(t, 1, s.queued(t))
	})
}

func TestWorkerThatQuitBeforeItsStartDoesNotStart(t *testing.T) {
	s, _ := embedded(t)
	var seen journal
	worker := newServer(t, s, &seen).NewWorker("worker", 1)
	require.NoError(t, redisadapter.Quit(worker))
	eventually(t, closed(launch(worker)))
}

func TestQuitRefusesAWorkerOfAnotherBroker(t *testing.T) {
	s, _ := embedded(t)
	server := machinery.NewServer(s.cnf, eagerbroker.New(), eagerbackend.New(), eager.New())
	require.ErrorIs(t, redisadapter.Quit(server.NewWorker("worker", 1)), redisadapter.ErrForeignBroker)
}
