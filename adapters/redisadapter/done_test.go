package redisadapter_test

import (
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// done returns how many tasks of the default queue are done, as a source tells.
func (s *site) done(t *testing.T) int {
	t.Helper()
	queues, err := redisadapter.NewSource(s.cnf, s.client).Queues(t.Context())
	require.NoError(t, err)
	require.Len(t, queues, 1)
	return queues[0].Done
}

// workOff has a worker do tasks, and returns when it has left.
func workOff(t *testing.T, s *site, client redis.UniversalClient, uuids ...string) {
	t.Helper()
	onClient := *s
	onClient.client = client
	broker := newWorkingBroker(&onClient, redisadapter.WithHeartbeatTimeout(time.Hour))
	for _, uuid := range uuids {
		s.enqueue(t, message(uuid))
	}
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	seen.AwaitInOrder(t, uuids...)
	broker.StopConsuming()
	<-ended
}

func TestWhatIsDoneIsCountedWhileAWorkerWorks(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		// What is counted expires with the heartbeat, which must not happen on a busy machine.
		broker := newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(4*time.Second), redisadapter.WithShards(3))
		var seen journal
		ended := work(t, broker, 2, &processor{Func: seen.Add})
		publish(t, broker, numberedTasks(30)...)
		eventually(t, func() bool { return s.done(t) == 30 })
		publish(t, broker, numberedTasks(10)...)
		eventually(t, func() bool { return s.done(t) == 40 })
		broker.StopConsuming()
		<-ended
		require.Equal(t, 40, s.done(t), "nothing is counted again")
	})
}

func TestAWorkerThatLeavesCountsWhatItHasDone(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		workOff(t, s, s.client, "a", "b")
		require.Equal(t, 2, s.done(t))
		workOff(t, s, s.client, "c")
		require.Equal(t, 3, s.done(t))
	})
}

func TestWhatIsDoneIsCountedOnceWhenAReplyIsLost(t *testing.T) {
	t.Parallel()
	for name, retries := range map[string]int{"repeated by the client": 3, "repeated by the worker": -1} {
		t.Run("heartbeat "+name, func(t *testing.T) {
			onEveryRedis(t, func(t *testing.T, s *site) { doneIsCountedOnce(t, s, retries) })
		})
	}
	t.Run("leaving", func(t *testing.T) {
		onEveryRedis(t, func(t *testing.T, s *site) {
			workOff(t, s, s.client, "before") // Redis knows the scripts by then
			reply := &lostReply{text: s.key("done"), after: 1}
			workOff(t, s, losing(t, s, reply, 3), "a", "b")
			require.True(t, reply.isLost())
			require.Equal(t, 3, s.done(t))
		})
	})
}

// losing returns a client of the site that loses a reply.
func losing(t *testing.T, s *site, reply *lostReply, retries int) redis.UniversalClient {
	options := *s.options
	options.Dialer, options.MaxRetries = reply.dial, retries
	client := redis.NewClient(&options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func doneIsCountedOnce(t *testing.T, s *site, retries int) {
	workOff(t, s, s.client, "before")
	reply := &lostReply{text: `"done":3`} // of the heartbeat that first tells it
	onClient := *s
	onClient.client = losing(t, s, reply, retries)
	// The report that tells what is counted must not expire on a busy machine.
	broker := newWorkingBroker(&onClient, redisadapter.WithHeartbeatTimeout(4*time.Second))
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	s.enqueue(t, message("a"), message("b"), message("c"))
	eventually(t, reply.isLost)
	s.enqueue(t, message("d"))
	seen.AwaitInOrder(t, "a", "b", "c", "d")
	broker.StopConsuming()
	<-ended
	require.Equal(t, 5, s.done(t))
}

func TestACounterOfAnotherTypeKeepsNoWorkerFromItsHeartbeat(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		require.NoError(t, s.client.RPush(t.Context(), s.key("done"), "x").Err())
		workOff(t, s, s.client, "a")
		require.Zero(t, s.done(t))
		require.Zero(t, s.client.ZCard(t.Context(), s.key("consumers")).Val(), "it has left")
	})
}
