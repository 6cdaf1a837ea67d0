package redisadapter_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// listOf returns the UUIDs of all tasks of the default queue in a state.
func listOf(t *testing.T, s *site, source inspect.Source, state inspect.State) []string {
	t.Helper()
	uuids := []string{}
	for page := (inspect.Page{Limit: inspect.MaxLimit}); ; {
		got, err := source.Tasks(t.Context(), s.cnf.DefaultQueue, state, page)
		require.NoError(t, err)
		for _, one := range got.Tasks {
			uuids = append(uuids, one.UUID)
		}
		if page.Cursor = got.Next; page.Cursor == "" {
			return uuids
		}
	}
}

func TestTaskDeletedFarFromBothEndsLeavesAMarkThatNobodySees(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		const many = 5000
		source := redisadapter.NewSource(s.cnf, s.client)
		broker := newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(time.Hour))
		var kept []string
		messages := make([]any, many)
		for i := range messages {
			uuid := fmt.Sprint("u-", i)
			messages[i] = message(uuid)
			if i != many/2 {
				kept = append(kept, uuid)
			}
		}
		require.NoError(t, s.client.RPush(t.Context(), s.cnf.DefaultQueue, messages...).Err())
		require.NoError(t, source.Delete(t.Context(), fmt.Sprint("u-", many/2)))
		require.Equal(t, many, s.queued(t), "a mark is in its place")
		require.Equal(t, kept, listOf(t, s, source, inspect.Waiting))
		pending, err := broker.GetPendingTasks("")
		require.NoError(t, err)
		require.Len(t, pending, many-1)

		// Those next to the mark do for a worker.
		require.NoError(t, s.client.LTrim(t.Context(), s.cnf.DefaultQueue, many/2-2, many/2+2).Err())
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, kept[many/2-2:many/2+2]...)
		eventually(t, func() bool { return s.queued(t) == 0 })
		dead, err := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue)).Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, dead)
	})
}

func TestTaskThatWorkersDiedOfWasPutBack(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		source := redisadapter.NewSource(s.cnf, s.client)
		require.NoError(t, s.client.RPush(t.Context(), s.key("isolated"), message("a"), message("b")).Err())
		require.Equal(t, []string{"a", "b"}, listOf(t, s, source, inspect.PutBack))
		got, err := source.Task(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, inspect.PutBack, got.State)
		require.True(t, got.ETA.IsZero())
		require.NoError(t, source.Delete(t.Context(), "b"))
		require.Equal(t, []string{"a"}, listOf(t, s, source, inspect.PutBack))
	})
}

func TestWhatAnEarlierVersionRunsIsTold(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		source := redisadapter.NewSource(s.cnf, s.client)
		due := float64(time.Now().Add(time.Hour).UnixMilli())
		require.NoError(t, s.client.ZAdd(t.Context(), s.key("consumers"), &redis.Z{Score: due, Member: "old"}).Err())
		require.NoError(t, s.client.RPush(t.Context(), s.key("processing:old"), message("a")).Err())
		workers, err := source.Workers(t.Context())
		require.NoError(t, err)
		run := inspect.Run{UUID: "a", Name: "add", Queue: s.cnf.DefaultQueue}
		require.Equal(t, []inspect.Worker{{ID: "old", Queues: []string{s.cnf.DefaultQueue}, Running: []inspect.Run{run}}}, workers)
	})
}

func TestTasksOfAllPrioritiesAreListedAndDeleted(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		source := redisadapter.NewSource(s.cnf, s.client)
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		require.NoError(t, s.client.Set(t.Context(), s.key("priorities"), 9, 0).Err())
		for _, signature := range []*tasks.Signature{
			prioritized("first", 0), prioritized("low", 1), prioritized("high", 9), prioritized("middle", 5),
		} {
			publish(t, broker, signature)
		}
		require.Equal(t, []string{"high", "middle", "low", "first"}, listOf(t, s, source, inspect.Waiting))
		queues, err := source.Queues(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, queues[0].Waiting)
		require.NoError(t, source.Delete(t.Context(), "middle"))
		require.NoError(t, source.Delete(t.Context(), "first"))
		require.Equal(t, 1, s.queued(t), "workers wait for the queue")
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "high", "low")
	})
}

func TestListsDoNotReadWholeMessages(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const many, size = 40, 3 << 20
		letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		for i := range many {
			signature := largeTask(fmt.Sprint(i), size)
			publish(t, newWorkingBroker(s), signature)
			push(t, letters, signature)
		}
		client := redis.NewClient(s.options)
		defer client.Close()
		var replies largest
		client.AddHook(&replies)
		source := redisadapter.NewSource(s.cnf, client)
		require.Len(t, listOf(t, s, source, inspect.Waiting), many)
		page, err := source.Letters(t.Context(), s.cnf.DefaultQueue, inspect.Page{})
		require.NoError(t, err)
		require.Len(t, page.Letters, many)
		_, err = source.Queues(t.Context())
		require.NoError(t, err)
		require.Less(t, replies.size(), largeReply)
	})
}

func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	source, broker := redisadapter.NewSource(s.cnf, s.client), newWorkingBroker(s)
	eta := time.Now().Add(time.Hour)
	delayed := task("add", "delayed")
	delayed.ETA = &eta
	publish(t, broker, task("add", "a"), delayed)
	s.enqueue(t, "garbage")
	s.dieWith(t, "dead", message("b"))
	push(t, redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue)), task("add", "c"))
	before := server.Dump()
	for _, state := range inspect.States() {
		listOf(t, s, source, state)
	}
	_, err := source.Queues(t.Context())
	require.NoError(t, err)
	_, err = source.Workers(t.Context())
	require.NoError(t, err)
	_, err = source.Letters(t.Context(), s.cnf.DefaultQueue, inspect.Page{})
	require.NoError(t, err)
	for _, uuid := range []string{"a", "b", "delayed", "nobody"} {
		_, _ = source.Task(t.Context(), uuid)
		_, _ = source.TaskState(t.Context(), uuid)
		_, _ = source.Group(t.Context(), uuid, inspect.Page{})
	}
	require.Equal(t, before, server.Dump())
}

func TestSourceShowsTheQueuesAndLettersThatItIsGiven(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		shared, other := redisadapter.NewDeadLetters(s.client, s.name+":shared"), s.cnf.DefaultQueue+"-other"
		source := redisadapter.NewSource(s.cnf, s.client, inspect.WithName("second"),
			inspect.WithQueues(other), inspect.WithDeadLetters(shared))
		push(t, shared, routed(other, "a"), routed(s.cnf.DefaultQueue, "b"), task("add", "c"))
		require.Equal(t, "second", source.Name())
		queues, err := source.Queues(t.Context())
		require.NoError(t, err)
		require.Len(t, queues, 2)
		require.Equal(t, inspect.Unknown, queues[1].Dead)
		for queue, want := range map[string][]string{other: {"a"}, s.cnf.DefaultQueue: {"b", "c"}} {
			page, err := source.Letters(t.Context(), queue, inspect.Page{})
			require.NoError(t, err)
			var got []string
			for _, letter := range page.Letters {
				got = append(got, letter.UUID)
			}
			require.Equal(t, want, got)
		}
	})
}

func TestSourceAsksItsOptionsForResultsAndBeforeAReplay(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	elsewhere := redisadapter.NewSource(s.cnf, s.client)
	require.NoError(t, s.client.Set(t.Context(), "a", `{"TaskUUID":"a","State":"SUCCESS"}`, 0).Err())
	other, _ := embedded(t)
	source := redisadapter.NewSource(other.cnf, other.client, inspect.WithResults(elsewhere),
		inspect.WithVerify(func(*tasks.Signature) error { return io.ErrUnexpectedEOF }))
	state, err := source.TaskState(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, tasks.StateSuccess, state.State)
	_, err = source.Group(t.Context(), "a", inspect.Page{})
	require.ErrorIs(t, err, inspect.ErrNotFound)

	store, err := source.DeadLetters(other.cnf.DefaultQueue)
	require.NoError(t, err)
	queue := other.cnf.DefaultQueue
	require.NoError(t, other.client.SAdd(t.Context(), "{"+redisadapter.DeadLettersKey(queue)+"}:queues", queue).Err())
	require.NoError(t, store.Push(t.Context(), routed(queue, "b"), nil))
	replayed, err := store.ReplayAll(t.Context())
	require.ErrorIs(t, err, deadletter.ErrRefused)
	require.Zero(t, replayed)
	count, err := store.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, count, "the letter stays")
}

func TestDelayedTasksAreCountedWhileTheyAreFew(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		other := s.cnf.DefaultQueue + "-other"
		source := redisadapter.NewSource(s.cnf, s.client, inspect.WithQueues(other))
		delay := func(many int, queue string) {
			members := make([]*redis.Z, many)
			for i := range members {
				text := fmt.Sprintf(`{"UUID":"%s-%d","Name":"add","RoutingKey":"%s"}`, queue, i, queue)
				members[i] = &redis.Z{Score: float64(time.Now().Add(time.Hour).UnixNano()), Member: text}
			}
			require.NoError(t, s.client.ZAdd(t.Context(), s.cnf.Redis.DelayedTasksKey, members...).Err())
		}
		counted := func() (counts []int) {
			queues, err := source.Queues(t.Context())
			require.NoError(t, err)
			for _, q := range queues {
				counts = append(counts, q.Delayed)
			}
			return counts
		}
		delay(300, s.cnf.DefaultQueue)
		delay(100, other)
		require.Equal(t, []int{300, 100}, counted())
		delay(500, s.cnf.DefaultQueue)
		require.Equal(t, []int{inspect.Unknown, inspect.Unknown}, counted())
		only, err := redisadapter.NewSource(s.cnf, s.client).Queues(t.Context())
		require.NoError(t, err)
		require.Equal(t, 600, only[0].Delayed, "there is but one queue")
	})
}

func TestSourceOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	for want, option := range map[string]inspect.SourceOption{
		`inspect.WithName("")`:         inspect.WithName(""),
		`inspect.WithName("..")`:       inspect.WithName(".."),
		`inspect.WithName("a/b")`:      inspect.WithName("a/b"),
		`inspect.WithQueues([""])`:     inspect.WithQueues(""),
		"inspect.WithDeadLetters(nil)": inspect.WithDeadLetters(nil),
		"redisadapter.NewDeadLetters":  inspect.WithDeadLetters((*redisadapter.DeadLetters)(nil)),
		"inspect.WithMaxMessage(0)":    inspect.WithMaxMessage(0),
		"inspect.WithResults(nil)":     inspect.WithResults(nil),
		"inspect.WithVerify(nil)":      inspect.WithVerify(nil),
		`inspect.WithManagement("")`:   inspect.WithManagement(""),
		"are for RabbitMQ":             inspect.WithManagement("http://localhost:15672"),
	} {
		source := redisadapter.NewSource(s.cnf, s.client, option)
		_, err := source.Queues(t.Context())
		require.ErrorIs(t, err, redisadapter.ErrConfig)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, source.Pause(t.Context(), s.cnf.DefaultQueue), redisadapter.ErrConfig)
		_, err = source.TaskState(t.Context(), "a")
		require.ErrorIs(t, err, redisadapter.ErrConfig)
	}
}

// Whatever is in the places of a queue, it is listed as it is, and nothing panics.
func FuzzListedMessage(f *testing.F) {
	for _, body := range []string{
		message("a"), `{"UUID":"a"`, `{"UUID":7,"Name":"add"}`, `[]`, "", ":", `{"UUID":"` + strings.Repeat("x", 300) + `","Name":"add"}`,
	} {
		f.Add(body)
	}
	s := newFuzzSite(f)
	source := redisadapter.NewSource(s.cnf, s.client)
	f.Fuzz(func(t *testing.T, body string) {
		require.NoError(t, s.client.Del(t.Context(), s.cnf.DefaultQueue, s.key("deferred")).Err())
		s.enqueue(t, body)
		require.NoError(t, s.client.ZAdd(t.Context(), s.key("deferred"), &redis.Z{Score: 1, Member: "label:" + body}).Err())
		for _, state := range []inspect.State{inspect.Waiting, inspect.PutBack} {
			page, err := source.Tasks(t.Context(), s.cnf.DefaultQueue, state, inspect.Page{})
			require.NoError(t, err)
			require.Len(t, page.Tasks, 1)
			one := page.Tasks[0]
			require.Equal(t, body[:min(len(body), inspect.MaxBody)], string(one.Body))
			require.Equal(t, len(body), one.Size)
			require.Equal(t, one.Err == nil, one.Signature != nil)
		}
	})
}

// newFuzzSite has a Redis of its own.
func newFuzzSite(f *testing.F) *site {
	server := miniredis.NewMiniRedis()
	require.NoError(f, server.Start())
	f.Cleanup(server.Close)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	f.Cleanup(func() { _ = client.Close() })
	return &site{client: client, name: "test", cnf: configOf("test")}
}
