package redisadapter

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// senders are calls that send tasks at the same time, on a Redis on which no other test uses their keys.
type senders struct {
	client *redis.Client // which nothing holds up
	name   string
	p      *pipelines
	gate   *gate
	// meanwhile is called before the tasks are sent.
	meanwhile func()
}

func newSenders(t *testing.T, options redis.Options) *senders {
	options.MaxRetries = -1
	free := options // a client completes its options
	s := &senders{
		client: redis.NewClient(&free),
		name:   "test-" + rand.Text(),
		gate:   newGate(),

		meanwhile: func() {},
	}
	gated := redis.NewClient(&options)
	gated.AddHook(s.gate)
	s.p = newPipelines(gated)
	t.Cleanup(func() {
		ctx := context.Background()
		for keys := s.client.Scan(ctx, 0, s.name+"*", 1000).Iterator(); keys.Next(ctx); {
			s.client.Del(ctx, keys.Val())
		}
		require.NoError(t, s.client.Close())
		require.NoError(t, gated.Close())
	})
	return s
}

func embeddedOptions(t *testing.T) redis.Options {
	return redis.Options{Addr: miniredis.RunT(t).Addr()}
}

func realOptions(t *testing.T) redis.Options {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	return *options
}

func sendOnEveryRedis(t *testing.T, test func(t *testing.T, s *senders)) {
	t.Parallel()
	for name, options := range map[string]func(*testing.T) redis.Options{"embedded": embeddedOptions, "real": realOptions} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSenders(t, options(t)))
		})
	}
}

// task is one for a queue, with a UUID of the test's own.
func (s *senders) task(queue, uuid string) *sending {
	return &sending{
		uuid: s.name + uuid, queue: s.name + queue, expiry: time.Minute.Milliseconds(),
		state: []byte("state of " + uuid), body: []byte(uuid),
	}
}

// send has calls send tasks in one pipeline, and returns how many commands that has. It lets others go before, for which
// the calls wait.
func (s *senders) send(t *testing.T, tasks ...*sending) (commands int, errs []error) {
	var calling sync.WaitGroup
	for _, others := range []int{1, minShared} {
		startIncrements(t, s.p, &calling, s.name+"n", others)
		require.Equal(t, others, <-s.gate.arrived)
	}
	errs = make([]error, len(tasks))
	for i, task := range tasks {
		calling.Go(func() { errs[i] = s.p.push(context.Background(), task) })
		gathered(t, s.p, i+1)
	}
	s.gate.open <- struct{}{}
	if len(tasks) < minShared { // which wait for the other one too
		s.gate.open <- struct{}{}
	}
	commands = <-s.gate.arrived
	s.meanwhile()
	close(s.gate.open)
	calling.Wait()
	return commands, errs
}

// requireSent checks that exactly these tasks are in a queue, with their states.
func (s *senders) requireSent(t *testing.T, queue string, uuids ...string) {
	t.Helper()
	require.ElementsMatch(t, uuids, s.client.LRange(t.Context(), s.name+queue, 0, -1).Val())
	for _, uuid := range uuids {
		require.Equal(t, "state of "+uuid, s.client.Get(t.Context(), s.name+uuid).Val())
		require.Positive(t, s.client.TTL(t.Context(), s.name+uuid).Val())
	}
}

func (s *senders) requireNoState(t *testing.T, uuid string) {
	t.Helper()
	require.ErrorIs(t, s.client.Get(t.Context(), s.name+uuid).Err(), redis.Nil)
}

func TestTasksForOneQueueAreSentByOneCommand(t *testing.T) {
	sendOnEveryRedis(t, func(t *testing.T, s *senders) {
		var tasks []*sending
		var uuids []string
		for i := range maxPipelined - 1 {
			uuids = append(uuids, fmt.Sprint("a", i))
			tasks = append(tasks, s.task("q", uuids[i]))
		}
		tasks = append(tasks, s.task("other", "b"))
		require.NoError(t, pushPending.Load(t.Context(), s.client).Err())
		commands, errs := s.send(t, tasks...)
		require.Equal(t, 2, commands)
		for _, err := range errs {
			require.NoError(t, err)
		}
		s.requireSent(t, "q", uuids...)
		s.requireSent(t, "other", "b")
	})
}

func TestStateSentWithOthersMayStayForEver(t *testing.T) {
	sendOnEveryRedis(t, func(t *testing.T, s *senders) {
		kept, other := s.task("q", "a"), s.task("q", "b")
		kept.expiry = 0
		_, errs := s.send(t, kept, other, s.task("q", "c"))
		require.Equal(t, make([]error, 3), errs)
		require.Equal(t, time.Duration(-1), s.client.TTL(t.Context(), kept.uuid).Val())
		require.Positive(t, s.client.TTL(t.Context(), other.uuid).Val())
	})
}

func TestTasksAreSentOnceByAScriptThatRedisHasForgotten(t *testing.T) {
	t.Parallel()
	s := newSenders(t, embeddedOptions(t))
	require.NoError(t, pushPending.Load(t.Context(), s.client).Err())
	require.NoError(t, s.client.ScriptFlush(t.Context()).Err())
	_, errs := s.send(t, s.task("q", "a"), s.task("q", "b"), s.task("q", "c"))
	require.Equal(t, make([]error, 3), errs)
	s.requireSent(t, "q", "a", "b", "c")
	known, err := pushPending.Exists(t.Context(), s.client).Result()
	require.NoError(t, err)
	require.Equal(t, []bool{true}, known)
}

// as returns senders who have these rights alone, and the keys of the others.
func (s *senders) as(t *testing.T, rights ...any) *senders {
	user := "test-" + rand.Text()
	require.NoError(t, s.client.Do(t.Context(), append([]any{"acl", "setuser", user, "on", ">password"}, rights...)...).Err())
	t.Cleanup(func() { s.client.Do(context.Background(), "acl", "deluser", user) })
	options := realOptions(t)
	options.Username, options.Password = user, "password"
	restricted := newSenders(t, options)
	restricted.name = s.name
	return restricted
}

func TestTaskWhoseStateIsNotPermittedKeepsNoOtherFromBeingSent(t *testing.T) {
	t.Parallel()
	s := newSenders(t, realOptions(t))
	restricted := s.as(t, "+@all", "~"+s.name+"n", "~"+s.name+"q", "~"+s.name+"a*")
	_, errs := restricted.send(t, s.task("q", "a1"), s.task("q", "b"), s.task("q", "a2"))
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "NOPERM")
	require.NoError(t, errs[2])
	s.requireSent(t, "q", "a1", "a2")
	s.requireNoState(t, "b")
}

func TestTasksWhoseQueueIsNoListAreRefusedEach(t *testing.T) {
	sendOnEveryRedis(t, func(t *testing.T, s *senders) {
		require.NoError(t, s.client.Set(t.Context(), s.name+"text", "", time.Minute).Err())
		_, errs := s.send(t, s.task("text", "a"), s.task("q", "b"), s.task("text", "c"))
		require.ErrorContains(t, errs[0], "WRONGTYPE")
		require.NoError(t, errs[1])
		require.ErrorContains(t, errs[2], "WRONGTYPE")
		s.requireSent(t, "q", "b")
		s.requireNoState(t, "a")
		s.requireNoState(t, "c")
	})
}

// The state may be how a task has ended that ran under that UUID.
func TestStateThatRedisHasNotReplacedStays(t *testing.T) {
	t.Parallel()
	s := newSenders(t, realOptions(t))
	restricted := s.as(t, "+@all", "-set", "~*")
	sent := s.task("q", "a")
	require.NoError(t, s.client.Set(t.Context(), sent.uuid, "before", time.Minute).Err())
	_, errs := restricted.send(t, sent, s.task("q", "b"), s.task("q", "c"))
	batch := newCommand(delayedTasks{}, commandKey{destination: destination{queue: sent.queue}})
	pending := &announcement{backend: new(backend), uuid: sent.uuid, state: sent.state}
	batch.tasks = []batchTask{{body: sent.body, pending: pending}}
	for _, err := range append(errs, batch.sendAlone(t.Context(), restricted.p.client)) {
		require.Error(t, err)
	}
	require.Equal(t, "before", s.client.Get(t.Context(), sent.uuid).Val())
	s.requireNoState(t, "b")
	s.requireSent(t, "q")
}

// What Redis says to all means the same for each, and the middleware asks what it means.
func TestWhoSendsWithOthersIsToldThatRedisDoesNotServe(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"OOM command not allowed when used memory > 'maxmemory'.", "LOADING Redis is loading"} {
		server := miniredis.RunT(t)
		s := newSenders(t, redis.Options{Addr: server.Addr()})
		s.meanwhile = func() { server.SetError(message) }
		_, errs := s.send(t, s.task("q", "a"), s.task("q", "b"), s.task("q", "c"))
		server.SetError("")
		for _, err := range errs {
			require.EqualError(t, err, message)
		}
		require.Zero(t, s.client.DBSize(t.Context()).Val()-1, "the counter of the calls before")
	}
}

// Whether they were sent is not known: it is for the callers to send them again.
func TestTasksWhoseReplyIsLostAreNotSentAgain(t *testing.T) {
	sendOnEveryRedis(t, func(t *testing.T, s *senders) {
		require.NoError(t, pushPending.Load(t.Context(), s.client).Err())
		s.meanwhile = func() { s.gate.lose = io.ErrUnexpectedEOF }
		_, errs := s.send(t, s.task("q", "a"), s.task("q", "b"), s.task("q", "c"))
		for _, err := range errs {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.True(t, isOutage(err))
		}
		s.requireSent(t, "q", "a", "b", "c")
	})
}
