package redisadapter_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Else a worker would wait for a backend that works again, and take no tasks meanwhile.
func TestUnreadableGroupIsNoFailureOfTheBackend(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", `{"GroupUUID":"x`, `{"TaskUUID":"x","TaskName":"add"`, "no JSON", "[]", `{"TaskUUIDs":3,"State":3}`,
		strings.Repeat("[", 100_000),
	} {
		for _, key := range []string{"group", "0"} {
			server := miniredis.RunT(t)
			backend := redisadapter.NewBackend(newConfig(), dial(t, server))
			members, _ := sentChord(t, backend, "", 2)
			require.NoError(t, server.Set(key, text))
			require.NoError(t, backend.SetStateSuccess(members[1], nil))
			_, err := backend.GroupCompleted("group", 2)
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF)
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
			require.False(t, delivery.IsBackendFailure(fmt.Errorf("Completed check for group g returned error: %w", err)), "%v", err)
		}
	}
}

func TestMemberOfAnUnreadableGroupKeepsNoTaskFromRunning(t *testing.T) {
	t.Parallel()
	for name, register := range map[string]func(*machinery.Server) error{
		"without the middleware": func(server *machinery.Server) error { return server.RegisterTask("add", noTask) },
		"with the middleware": func(server *machinery.Server) error {
			m, err := middleware.Install(server, envelope.NewRegistry())
			return errors.Join(err, m.RegisterTask("add", noTask))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, redis := embedded(t)
			s.cnf.NoUnixSignals = true
			letters := newLetters(s)
			broker := redisadapter.NewBroker(s.cnf, s.client, redisadapter.WithDeadLetters(letters), redisadapter.WithMaxAttempts(1))
			backend := redisadapter.NewBackend(s.cnf, s.client)
			server := machinery.NewServer(s.cnf, broker, backend, eagerlock.New())
			require.NoError(t, register(server))
			members, _ := sentChord(t, backend, "", 2)
			require.NoError(t, redis.Set(members[1].GroupUUID, `{"GroupUUID":"x`))
			publish(t, broker, members[1])
			s.work(t, server)
			require.Equal(t, members[1].UUID, awaitLetters(t, letters, 1)[0].UUID)
			_, err := server.SendTask(task("add", "after"))
			require.NoError(t, err)
			eventually(t, func() bool { return stateOf(t, backend, "after") == tasks.StateSuccess })
		})
	}
}

func noTask() error { return nil }
