package redisadapter_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// sendingServer is a server that has sent a task already, so that its broker and backend know of each other.
func sendingServer(t *testing.T, s *site) *machinery.Server {
	t.Helper()
	server := machinery.NewServer(s.cnf, redisadapter.NewBroker(s.cnf, s.client), redisadapter.NewBackend(s.cnf, s.client), eagerlock.New())
	_, err := server.SendTask(task("add", s.name+"first"))
	require.NoError(t, err)
	return server
}

func stateOf(t *testing.T, backend backendsiface.Backend, uuid string) string {
	t.Helper()
	state, err := backend.GetState(uuid)
	require.NoError(t, err)
	return state.State
}

func TestTaskIsPendingWhenItWasSent(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		server, other := sendingServer(t, s), redisadapter.NewBackend(s.cnf, s.client)
		for _, name := range []string{"plain", "delayed", "urgent", "large"} {
			signature := task("add", s.name+name)
			switch name {
			case "delayed":
				eta := time.Now().Add(time.Hour)
				signature.ETA = &eta
			case "urgent":
				signature.Priority = 5
			case "large":
				signature.Args = []tasks.Arg{{Type: "string", Value: string(make([]byte, 1<<20))}}
			}
			require.NoError(t, other.SetStateSuccess(signature, nil), "a new send begins anew")
			_, err := server.SendTask(signature)
			require.NoError(t, err)
			require.Equal(t, tasks.StatePending, stateOf(t, other, signature.UUID), name)
		}
	})
}

func TestASendIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	var asked counter
	server := sendingServer(t, s)
	s.client.AddHook(&asked)
	later := time.Now().Add(time.Hour)
	for name, change := range map[string]func(*tasks.Signature){
		"short":   func(*tasks.Signature) {},
		"delayed": func(signature *tasks.Signature) { signature.ETA = &later },
		"urgent":  func(signature *tasks.Signature) { signature.Priority = 5 },
		"long": func(signature *tasks.Signature) {
			signature.Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 50<<10)}}
		},
	} {
		for range 2 { // Redis has the script then
			signature := task("add", name)
			change(signature)
			asked.Store(0)
			_, err := server.SendTask(signature)
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, asked.Load(), name)
		require.Equal(t, tasks.StatePending, stateOf(t, server.GetBackend(), name))
	}
}

// It may have been sent, and run already.
func TestPushWhoseReplyIsLostKeepsTheState(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		reply := &lostReply{text: rand.Text()}
		options := *s.options
		options.Dialer, options.MaxRetries = reply.dial, -1
		losing := *s
		losing.client = redis.NewClient(&options)
		defer func() { require.NoError(t, losing.client.Close()) }()
		backend := sendingServer(t, &losing).GetBackend()
		broker := redisadapter.NewBroker(s.cnf, losing.client, redisadapter.WithPublishTimeout(time.Nanosecond))
		signature := task("add", s.name+"large", tasks.Arg{Type: "string", Value: reply.text + strings.Repeat("x", 1<<20)})
		require.NoError(t, backend.SetStatePending(signature))
		require.ErrorIs(t, broker.Publish(t.Context(), signature), os.ErrDeadlineExceeded)
		require.Equal(t, 2, s.queued(t))
		require.Equal(t, tasks.StatePending, stateOf(t, redisadapter.NewBackend(s.cnf, s.client), signature.UUID))
	})
}

func TestPushThatIsRefusedLeavesNoState(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		server := sendingServer(t, s)
		for name, size := range map[string]int{"short": 1, "long": 1 << 20} {
			signature := task("add", s.name+name)
			signature.RoutingKey = s.name + "no-list"
			signature.Args = []tasks.Arg{{Type: "string", Value: string(make([]byte, size))}}
			require.NoError(t, s.client.Set(t.Context(), signature.RoutingKey, "", time.Minute).Err())
			_, err := server.SendTask(signature)
			require.ErrorContains(t, err, "WRONGTYPE")
			require.ErrorIs(t, s.client.Get(t.Context(), signature.UUID).Err(), redis.Nil)
		}
	})
}

func TestWhoAsksForATaskThatIsAboutToBeSentSeesPending(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	server := sendingServer(t, s)
	signature := task("add", "a")
	require.NoError(t, server.GetBackend().SetStatePending(signature))
	require.Equal(t, tasks.StatePending, stateOf(t, server.GetBackend(), "a"))
	require.NoError(t, server.GetBroker().Publish(context.Background(), signature))
	require.Equal(t, tasks.StatePending, stateOf(t, server.GetBackend(), "a"))
}

// Another broker may have been given the task, and a worker may have run it already.
func TestTaskThatIsNotPublishedIsPendingAllTheSame(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		server, other := sendingServer(t, s), redisadapter.NewBackend(s.cnf, s.client)
		require.NoError(t, server.GetBackend().SetStatePending(task("add", s.name+"a")))
		eventually(t, func() bool {
			state, err := other.GetState(s.name + "a")
			return err == nil && state.State == tasks.StatePending
		})
		_, err := server.SendTask(task("add", s.name+"again"))
		require.NoError(t, err)
		ended := task("add", s.name+"ended")
		require.NoError(t, server.GetBackend().SetStatePending(ended))
		require.NoError(t, other.SetStateSuccess(ended, nil))
		require.Never(t, func() bool {
			state, err := other.GetState(ended.UUID)
			return err == nil && state.State != tasks.StateSuccess
		}, glance, tick)
	})
}

func TestBackendBesideAnotherBrokerWritesPendingAtOnce(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	backend := redisadapter.NewBackend(newConfig(), dial(t, server))
	for range 2 {
		require.NoError(t, backend.SetStatePending(task("add", "a")))
		require.True(t, server.Exists("a"))
		server.Del("a")
	}
}

// The state belongs to the Redis of the backend.
func TestBrokerOfAnotherRedisLeavesPendingToTheBackend(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	other, _ := embedded(t)
	server := sendingServer(t, s)
	signature := task("add", s.name)
	require.NoError(t, server.GetBackend().SetStatePending(signature))
	publish(t, redisadapter.NewBroker(other.cnf, other.client), signature)
	require.Zero(t, other.client.Exists(t.Context(), s.name).Val())
	require.Equal(t, tasks.StatePending, stateOf(t, server.GetBackend(), s.name))
}

func TestStateThatIsPurgedBeforeItIsWrittenIsNotWritten(t *testing.T) {
	t.Parallel()
	s, redis := embedded(t)
	server := sendingServer(t, s)
	require.NoError(t, server.GetBackend().SetStatePending(task("add", s.name)))
	require.NoError(t, server.GetBackend().PurgeState(s.name))
	require.Never(t, func() bool { return redis.Exists(s.name) }, glance, tick)
}
