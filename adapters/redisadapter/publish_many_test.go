package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func (s *site) middleware(t *testing.T, opts ...redisadapter.BrokerOption) *middleware.Middleware {
	t.Helper()
	broker, backend := redisadapter.NewBroker(s.cnf, s.client, opts...), redisadapter.NewBackend(s.cnf, s.client)
	m, err := middleware.Install(machinery.NewServer(s.cnf, broker, backend, eagerlock.New()), envelope.NewRegistry())
	require.NoError(t, err)
	return m
}

// pair sends tasks until the backend has learned that the broker with its client sends what it is told of: then states and
// tasks go together, in one round trip.
func (s *site) pair(t *testing.T, m *middleware.Middleware) {
	t.Helper()
	var asked counter
	s.client.AddHook(&asked)
	for asked.Store(0); ; asked.Store(0) {
		_, err := m.SendTasks(t.Context(), task("add", ""))
		require.NoError(t, err)
		if asked.Load() == 1 {
			break
		}
	}
	s.client.Del(t.Context(), s.cnf.DefaultQueue)
}

// many are tasks with UUIDs of the site's own.
func (s *site) many(n int) (signatures []*tasks.Signature, uuids []string) {
	for i := range n {
		uuids = append(uuids, fmt.Sprintf("%s-%d", s.name, i))
		signatures = append(signatures, task("add", uuids[i]))
	}
	return signatures, uuids
}

func TestManyTasksAreSentInOrderAndPending(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		m := s.middleware(t)
		// The backend does not know the broker yet, then it does; and some are too long for a batch.
		for _, sent := range []string{"first", "second"} {
			signatures, uuids := s.many(600)
			signatures[300].Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 300<<10)}}
			signatures[301].Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 100<<10)}}
			results, err := m.SendTasks(t.Context(), signatures...)
			require.NoError(t, err)
			for _, result := range results {
				require.Equal(t, tasks.StatePending, result.GetState().State, sent)
			}
			s.requireExpiry(t, uuids)
			bodies, err := s.client.LRange(t.Context(), s.cnf.DefaultQueue, 0, -1).Result()
			require.NoError(t, err)
			require.Len(t, bodies, len(uuids))
			for i, body := range bodies {
				require.Contains(t, body, `"`+uuids[i]+`"`)
			}
			for _, key := range append(uuids, s.cnf.DefaultQueue) { // in a Cluster they lie apart
				s.client.Del(t.Context(), key)
			}
		}
	})
}

// requireExpiry checks that keys expire some day.
func (s *site) requireExpiry(t *testing.T, keys []string) {
	t.Helper()
	replies, err := s.client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.TTL(t.Context(), key)
		}
		return nil
	})
	require.NoError(t, err)
	for _, reply := range replies {
		require.Positive(t, reply.(*redis.DurationCmd).Val(), reply)
	}
}

func TestManyTasksAreSentInFewRoundTrips(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	m := s.middleware(t)
	s.pair(t, m)
	var asked counter
	s.client.AddHook(&asked)
	signatures, _ := s.many(1000)
	_, err := m.SendTasks(t.Context(), signatures...)
	require.NoError(t, err)
	require.EqualValues(t, 4, asked.Load())
	asked.Store(0)
	members, _ := s.many(1000)
	group, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	_, err = m.SendGroup(t.Context(), group, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1+4+4, asked.Load(), "the group, all states, all members")
}

func TestLongMessagesAreSentInMoreBatches(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client).(redisadapter.Broker)
	var asked counter
	s.client.AddHook(&asked)
	signatures, _ := s.many(20)
	for _, signature := range signatures {
		signature.Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 200<<10)}}
	}
	require.NoError(t, errors.Join(broker.PublishMany(t.Context(), signatures)...))
	require.EqualValues(t, 4, asked.Load(), "5 of them in 1 MiB")
}

func TestManyTasksGoWhereEachBelongs(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		var seen journal
		m := s.middleware(t, redisadapter.WithPriorities())
		worker := newPatientBroker(s, redisadapter.WithPriorities())
		begun, stop := make(chan struct{}), make(chan struct{})
		begin, goOn := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(stop) })
		work(t, worker, 1, &processor{Func: func(signature *tasks.Signature) error {
			if signature.UUID == s.name+"-first" {
				begin()
				<-stop
				return nil
			}
			return seen.Add(signature)
		}})
		require.NoError(t, worker.Publish(t.Context(), task("add", s.name+"-first")))
		t.Cleanup(goOn)
		<-begun
		for range 2 { // the second time states and tasks go together
			signatures, _ := s.many(6)
			eta, later := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
			signatures[1].Priority, signatures[3].Priority = 9, 5
			signatures[2].ETA, signatures[5].ETA = &later, &eta
			signatures[4].RoutingKey = s.name + ":other"
			results, err := m.SendTasks(t.Context(), signatures...)
			require.NoError(t, err)
			for _, result := range results {
				require.Equal(t, tasks.StatePending, result.GetState().State)
			}
		}
		require.EqualValues(t, 2, s.client.LLen(t.Context(), s.name+":other").Val())
		delayed, err := s.client.ZRangeWithScores(t.Context(), s.name+":delayed", 0, -1).Result()
		require.NoError(t, err)
		require.Len(t, delayed, 4)
		require.Contains(t, delayed[0].Member, s.name+"-5")
		require.Contains(t, delayed[3].Member, s.name+"-2")
		goOn()
		urgent := func(i int) string { return fmt.Sprintf("%s-%d", s.name, i) }
		seen.AwaitInOrder(t, urgent(1), urgent(1), urgent(3), urgent(3), urgent(0), urgent(0))
	})
}

// A worker that waits for the delayed tasks learns of one that comes sooner.
func TestManyDelayedTasksAreHeardOf(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		heard := s.client.Subscribe(t.Context(), "machinery:sooner:"+s.name+":delayed")
		defer func() { _ = heard.Close() }()
		_, err := heard.Receive(t.Context())
		require.NoError(t, err)
		signatures, _ := s.many(3)
		for i := range signatures {
			eta := time.Now().Add(time.Hour - time.Duration(i)*time.Minute)
			signatures[i].ETA = &eta
		}
		_, err = s.middleware(t).SendTasks(t.Context(), signatures...)
		require.NoError(t, err)
		<-heard.Channel()
	})
}

func TestTasksOfABatchThatRedisRefusesLeaveNoState(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		m := s.middleware(t)
		s.pair(t, m)
		noList := s.name + "no-list"
		require.NoError(t, s.client.Set(t.Context(), noList, "", time.Minute).Err())
		for _, priority := range []uint8{0, 5} {
			signatures, uuids := s.many(4)
			for _, i := range []int{1, 2} {
				signatures[i].RoutingKey, signatures[i].Priority = noList, priority
			}
			if priority > 0 {
				s.client.Set(t.Context(), "{"+noList+"}:priorities", "9", time.Minute)
			}
			results, err := m.SendTasks(t.Context(), signatures...)
			require.ErrorContains(t, err, "WRONGTYPE")
			var failure *middleware.SendError
			require.ErrorAs(t, err, &failure)
			require.Equal(t, 2, failure.Sent)
			require.Equal(t, 1, failure.Failed[0].Index)
			require.Equal(t, 2, failure.Failed[1].Index)
			require.NotNil(t, results[3])
			require.ErrorIs(t, s.client.Get(t.Context(), uuids[1]).Err(), redis.Nil)
			require.ErrorIs(t, s.client.Get(t.Context(), uuids[2]).Err(), redis.Nil)
			require.Equal(t, tasks.StatePending, results[0].GetState().State)
		}
	})
}

func TestATaskThatIsTooLongKeepsNoOtherOfItsBatchFromBeingSent(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client, redisadapter.WithMaxMessage(2000)).(redisadapter.Broker)
	signatures, _ := s.many(3)
	signatures[1].Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 2000)}}
	errs := broker.PublishMany(t.Context(), signatures)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], envelope.ErrLimit)
	require.NoError(t, errs[2])
	require.Equal(t, 2, s.queued(t))
	require.NoError(t, broker.Close())
	require.ErrorIs(t, broker.PublishMany(t.Context(), signatures)[2], redisadapter.ErrClosed)
}

// afterPipelines calls something when so many pipelines were answered.
type afterPipelines struct {
	counter
	n    int32
	call func()
}

func (a *afterPipelines) AfterProcessPipeline(context.Context, []redis.Cmder) error {
	if a.Load() == a.n {
		a.call()
	}
	return nil
}

// midway is a middleware whose Redis meets with something when it has answered a batch.
func midway(t *testing.T, meet func(server *miniredis.Miniredis)) (*site, *middleware.Middleware, *atomic.Int32) {
	server := miniredis.RunT(t)
	s := newSite(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
	m := s.middleware(t, redisadapter.WithPublishTimeout(time.Nanosecond))
	s.pair(t, m)
	hook := &afterPipelines{n: 1, call: func() { meet(server) }}
	s.client.AddHook(hook)
	return s, m, &hook.Int32
}

// requireFirstBatch checks that of a thousand tasks the first batch was sent.
func requireFirstBatch(t *testing.T, s *site, m *middleware.Middleware, ctx context.Context, mend func()) error {
	t.Helper()
	signatures, uuids := s.many(1000)
	results, err := m.SendTasks(ctx, signatures...)
	mend()
	var failure *middleware.SendError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 256, failure.Sent)
	require.Len(t, failure.Failed, 744)
	require.Equal(t, 256, s.queued(t))
	for i, result := range results {
		require.Equal(t, i < 256, result != nil, i)
		written, err := s.client.Exists(t.Context(), uuids[i]).Result()
		require.NoError(t, err)
		require.Equal(t, i < 256, written == 1, "the state of %d", i)
	}
	return err
}

func TestRedisThatGoesDownMidwayEndsTheRestAtOnce(t *testing.T) {
	t.Parallel()
	var down *miniredis.Miniredis
	s, m, asked := midway(t, func(server *miniredis.Miniredis) {
		down = server
		server.SetError("LOADING Redis is loading the dataset in memory")
	})
	err := requireFirstBatch(t, s, m, t.Context(), func() {
		require.EqualValues(t, 2, asked.Load(), "the batch that was sent and the one that was not")
		down.SetError("")
	})
	require.ErrorContains(t, err, "LOADING")
}

func TestContextThatEndsMidwayEndsTheRest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, m, _ := midway(t, func(*miniredis.Miniredis) { cancel() })
	require.ErrorIs(t, requireFirstBatch(t, s, m, ctx, func() {}), context.Canceled)
}

// A task that is not sent because its context has ended must not stay PENDING.
func TestContextThatHasEndedLeavesNoState(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	backend := redisadapter.NewBackend(newConfig(), dial(t, server)).(middleware.ManyPender)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range backend.SetStatesPending(ctx, []*tasks.Signature{task("add", "a"), task("add", "b")}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Empty(t, server.Keys())
}

// Each would wait as long for a Redis that is away.
func TestLongMessageThatCannotBeSentEndsTheRest(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := newSite(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
	broker := redisadapter.NewBroker(s.cnf, s.client, redisadapter.WithPublishTimeout(time.Nanosecond)).(redisadapter.Broker)
	signatures, _ := s.many(5)
	for _, signature := range signatures {
		signature.Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 300<<10)}}
	}
	server.SetError("LOADING Redis is loading the dataset in memory")
	var asked counter
	s.client.AddHook(&asked)
	for _, err := range broker.PublishMany(t.Context(), signatures) {
		require.ErrorContains(t, err, "LOADING")
	}
	server.SetError("")
	require.EqualValues(t, 1, asked.Load())
}

// failsOnce has the second command of the first pipeline fail, as one for another server of a Cluster.
type failsOnce struct{ counter }

func (f *failsOnce) AfterProcessPipeline(_ context.Context, cmds []redis.Cmder) error {
	if f.Load() == 1 {
		cmds[1].SetErr(io.ErrUnexpectedEOF)
	}
	return nil
}

func TestOnlyThePartOfABatchIsSentAgainThatHasFailed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client).(redisadapter.Broker)
	signatures, _ := s.many(2)
	signatures[1].RoutingKey = s.name + "other"
	s.client.AddHook(new(failsOnce))
	require.Equal(t, make([]error, 2), broker.PublishMany(t.Context(), signatures))
	require.Equal(t, 1, s.queued(t))
	require.EqualValues(t, 2, s.client.LLen(t.Context(), signatures[1].RoutingKey).Val())
}

func TestABatchIsSentAgainWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	m := s.middleware(t)
	server.SetError("LOADING Redis is loading the dataset in memory")
	var asked counter
	s.client.AddHook(&asked)
	sent := make(chan error, 1)
	signatures, _ := s.many(300)
	go func() {
		_, err := m.SendTasks(context.Background(), signatures...)
		sent <- err
	}()
	eventually(t, func() bool { return asked.Load() > 2 })
	server.SetError("")
	require.NoError(t, <-sent)
	require.Equal(t, 300, s.queued(t))
}

// beforePush calls something before each script that sends tasks to a queue, and counts those.
type beforePush struct {
	counter
	queue string
	call  func()
}

func (*beforePush) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (b *beforePush) BeforeProcessPipeline(ctx context.Context, commands []redis.Cmder) (context.Context, error) {
	for _, command := range commands {
		if args := command.Args(); args[0] == "eval" && args[3] == b.queue {
			b.Add(1)
			b.call()
		}
	}
	return ctx, nil
}

// A worker that ends the first member looks at the states of all.
func TestAllMembersArePendingBeforeTheFirstIsSent(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		m := s.middleware(t)
		members, uuids := s.many(300)
		watch := &beforePush{queue: s.cnf.DefaultQueue, call: func() {
			for _, uuid := range uuids {
				require.EqualValues(t, 1, s.client.Exists(context.Background(), uuid).Val())
			}
		}}
		s.client.AddHook(watch)
		for sends := int32(1); sends <= 2; sends++ {
			group, err := tasks.NewGroup(members...)
			require.NoError(t, err)
			for i, member := range members {
				member.UUID = uuids[i]
			}
			chord, err := tasks.NewChord(group, task("sum", s.name+"-sum"))
			require.NoError(t, err)
			_, err = m.SendChord(t.Context(), chord, 10)
			require.NoError(t, err)
			require.Equal(t, 2*sends, watch.Load())
			require.Greater(t, s.client.TTL(t.Context(), uuids[299]).Val(), time.Hour)
			require.Greater(t, s.client.TTL(t.Context(), group.GroupUUID).Val(), time.Hour)
			for _, uuid := range uuids {
				s.client.Del(t.Context(), uuid)
			}
		}
	})
}
