package redisadapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// write sets a state by name.
func write(t *testing.T, backend backendsiface.Backend, signature *tasks.Signature, state string) {
	t.Helper()
	var err error
	switch state {
	case tasks.StatePending:
		err = backend.SetStatePending(signature)
	case tasks.StateReceived:
		err = backend.SetStateReceived(signature)
	case tasks.StateStarted:
		err = backend.SetStateStarted(signature)
	case tasks.StateRetry:
		err = backend.SetStateRetry(signature)
	case tasks.StateSuccess:
		err = backend.SetStateSuccess(signature, []*tasks.TaskResult{{Type: "string", Value: "result"}})
	case tasks.StateFailure:
		err = backend.SetStateFailure(signature, "reason")
	}
	require.NoError(t, err)
}

func TestStatesOnlyMoveForward(t *testing.T) {
	const (
		pending, received, started = tasks.StatePending, tasks.StateReceived, tasks.StateStarted
		retry, success, failure    = tasks.StateRetry, tasks.StateSuccess, tasks.StateFailure
	)
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		for _, c := range []struct {
			before  string
			after   []string
			replace bool
		}{
			{pending, []string{pending, received, started, retry, success, failure}, true},
			{received, []string{pending, received, started, retry, success, failure}, true},
			{started, []string{received}, false},
			{started, []string{pending, started, retry, success, failure}, true},
			{retry, []string{pending, received, started, retry, success, failure}, true},
			{success, []string{received, started, retry, failure}, false},
			{success, []string{pending, success}, true},
			{failure, []string{received, started, retry}, false},
			{failure, []string{pending, success, failure}, true},
		} {
			for _, after := range c.after {
				signature := task("add", s.prefix+c.before+after)
				write(t, backend, signature, c.before)
				write(t, backend, signature, after)
				want := c.before
				if c.replace {
					want = after
				}
				got, err := backend.GetState(signature.UUID)
				require.NoError(t, err)
				require.Equal(t, want, got.State, "%s after %s", after, c.before)
				require.Equal(t, want == success, len(got.Results) == 1)
				require.Equal(t, want == failure, got.Error == "reason")
			}
		}
	})
}

func TestStateIsWrittenAsMachineryWritesIt(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		signature := task("add \"ü\"\n", s.prefix+`"CreatedAt":"x","TTL":0}`)
		results := []*tasks.TaskResult{
			{Type: "uint64", Value: uint64(math.MaxUint64)},
			{Type: "int64", Value: int64(math.MinInt64)},
			{Type: "float64", Value: 1e-320},
			{Type: "[]string", Value: []string{}},
			{Type: "[]string", Value: nil},
			{Type: "string", Value: `","State":"FAILURE","CreatedAt":"` + "\u2028\x00"},
			nil,
		}
		require.NoError(t, backend.SetStatePending(signature))
		before, err := backend.GetState(signature.UUID)
		require.NoError(t, err)
		require.NoError(t, backend.SetStateSuccess(signature, results))

		state := tasks.NewSuccessTaskState(signature, results)
		state.TaskName, state.CreatedAt = signature.Name, before.CreatedAt
		want, err := json.Marshal(state)
		require.NoError(t, err)
		require.Equal(t, string(want), s.client.Get(t.Context(), signature.UUID).Val())
	})
}

func TestResultsComeOutAsTheyWentIn(t *testing.T) {
	server := miniredis.RunT(t)
	client := dial(t, server)
	backend := redisadapter.NewBackend(newConfig(), client)
	rapid.Check(t, func(t *rapid.T) {
		signature := task(rapid.String().Draw(t, "name"), "uuid")
		results := rapid.SliceOf(rapid.Custom(func(t *rapid.T) *tasks.TaskResult {
			return &tasks.TaskResult{Type: "any", Value: rapid.OneOf(
				rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(),
				rapid.Bool().AsAny(), rapid.SliceOf(rapid.Float32()).AsAny(),
			).Draw(t, "value")}
		})).Draw(t, "results")
		require.NoError(t, backend.SetStatePending(signature))
		require.NoError(t, backend.SetStateSuccess(signature, results))
		want, err := json.Marshal(results)
		require.NoError(t, err)
		var kept struct{ Results json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(client.Get(context.Background(), "uuid").Val()), &kept))
		require.Equal(t, string(want), string(kept.Results))
	})
}

func TestResultThatJSONCannotHoldLeavesTheStateAsItWas(t *testing.T) {
	t.Parallel()
	backend := redisadapter.NewBackend(newConfig(), dial(t, miniredis.RunT(t)))
	signature := task("add", "a")
	require.NoError(t, backend.SetStateStarted(signature))
	err := backend.SetStateSuccess(signature, []*tasks.TaskResult{{Type: "float64", Value: math.NaN()}})
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, err, &unsupported)
	state, err := backend.GetState("a")
	require.NoError(t, err)
	require.Equal(t, tasks.StateStarted, state.State)
}

func TestStrangeContentUnderAUUIDIsReplaced(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		for _, strange := range []string{
			"", "no JSON", "7", "null", "[]", "{}", `{"State":7,"CreatedAt":{}}`, `{"State":"%a+"}`, `{"State":"S","CreatedAt":"\"}"}`,
			`{"TaskUUID":"a","TaskName":"add","State":"PENDING","Results":null,"Error":"","CreatedAt":"yesterday","TTL":0}`,
		} {
			signature := task("add", s.prefix+"a")
			require.NoError(t, s.client.Set(t.Context(), signature.UUID, strange, time.Minute).Err())
			require.NoError(t, backend.SetStateStarted(signature), strange)
			text := s.client.Get(t.Context(), signature.UUID).Val()
			require.True(t, json.Valid([]byte(text)), text)
			require.Equal(t, tasks.StateStarted, stateOf(t, backend, signature.UUID), text)
		}
	})
}

func TestStateWritesOutlastAnOutage(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, asked := impatient(t, server)
	backend := redisadapter.NewBackend(newConfig(), client)
	signature := task("add", "a")
	for name, call := range map[string]func() error{
		"pending": func() error { return backend.SetStatePending(signature) },
		"started": func() error { return backend.SetStateStarted(signature) },
		"success": func() error { return backend.SetStateSuccess(signature, nil) },
		"init":    func() error { return backend.InitGroup("g", []string{"a"}) },
		"completed": func() error {
			completed, err := backend.GroupCompleted("g", 1)
			return errors.Join(err, unless(completed))
		},
		"states": func() error {
			_, err := backend.GroupTaskStates("g", 1)
			return err
		},
		"trigger": func() error {
			_, err := backend.TriggerChord("g")
			return err
		},
		"purge": func() error { return backend.PurgeState("other") },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, backend.InitGroup("g", []string{"a"}))
			require.NoError(t, backend.SetStateSuccess(signature, nil))
			server.SetError("LOADING Redis is loading the dataset in memory")
			before := asked.Load()
			ended := make(chan error, 1)
			go func() { ended <- call() }()
			eventually(t, func() bool { return asked.Load() > before+1 })
			server.SetError("")
			require.NoError(t, <-ended)
		})
	}
}

func unless(ok bool) error {
	if !ok {
		return errors.New("false")
	}
	return nil
}

func TestOutageIsReportedWhenItLastsTooLong(t *testing.T) {
	for timeout, options := range map[time.Duration][]redisadapter.BackendOption{
		15 * time.Second: nil,
		time.Minute:      {redisadapter.WithRetryTimeout(time.Minute)},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, asked := starting(t)
			began := time.Now()
			err := redisadapter.NewBackend(newConfig(), client, options...).SetStatePending(task("add", "a"))
			require.ErrorContains(t, err, "LOADING")
			require.InDelta(t, timeout, time.Since(began), float64(time.Second))
			require.Greater(t, *asked, 10)
		})
	}
}

func TestOtherErrorsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, asked := impatient(t, server)
	backend := redisadapter.NewBackend(newConfig(), client, redisadapter.WithRetryTimeout(time.Hour))
	server.SetError("NOPERM this user has no permissions")
	require.ErrorContains(t, backend.SetStatePending(task("add", "a")), "NOPERM")
	require.EqualValues(t, 1, asked.Load())
	server.SetError("")
	require.NoError(t, client.Close())
	require.ErrorIs(t, backend.SetStatePending(task("add", "a")), redis.ErrClosed)
	require.EqualValues(t, 2, asked.Load())
}

func TestReceivedIsWrittenWhereTheTaskIsNotStartedAtOnce(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend, other := redisadapter.NewBackend(s.cnf, s.client), redisadapter.NewBackend(s.cnf, s.client)
		signature := task("add", s.prefix+"waits")
		require.NoError(t, backend.SetStateReceived(signature))
		eventually(t, func() bool {
			state, err := other.GetState(signature.UUID)
			return err == nil && state.State == tasks.StateReceived && state.TaskName == "add"
		})
	})
}

func TestReceivedIsNotWrittenAfterWhatFollowed(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		for _, next := range []string{tasks.StatePending, tasks.StateStarted, tasks.StateSuccess} {
			signature := task("add", s.prefix+next)
			require.NoError(t, backend.SetStateReceived(signature))
			write(t, backend, signature, next)
			require.Never(t, func() bool {
				state, err := backend.GetState(signature.UUID)
				return err != nil || state.State != next
			}, 3*tick, tick)
		}
	})
}

func TestStartedIsWrittenWhereTheTaskTakesLonger(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend, other := redisadapter.NewBackend(s.cnf, s.client), redisadapter.NewBackend(s.cnf, s.client)
		signature := task("add", s.prefix+"takes long")
		defer delivery.BeginFrom(s.client, t.Context(), signature).End()
		require.NoError(t, backend.SetStatePending(signature))
		require.NoError(t, backend.SetStateReceived(signature))
		require.NoError(t, backend.SetStateStarted(signature))
		eventually(t, func() bool {
			state, err := other.GetState(signature.UUID)
			return err == nil && state.State == tasks.StateStarted && state.TaskName == "add" && !state.CreatedAt.IsZero()
		})
	})
}

func TestWhoAsksTheWorkersBackendSeesThatATaskIsStarted(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		signature := task("add", s.prefix+"asked")
		defer delivery.BeginFrom(s.client, t.Context(), signature).End()
		require.NoError(t, backend.SetStateReceived(signature))
		require.NoError(t, backend.SetStateStarted(signature))
		state, err := backend.GetState(signature.UUID)
		require.NoError(t, err)
		require.Equal(t, tasks.StateStarted, state.State)
	})
}

// A worker whose backend fails must learn of it before it runs the task.
func TestStartedIsWrittenAtOnceWhileRedisFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, asked := starting(t)
		backend := redisadapter.NewBackend(newConfig(), client)
		signature := task("add", "a")
		defer delivery.BeginFrom(client, t.Context(), signature).End()
		require.NoError(t, backend.SetStateReceived(signature))
		require.NoError(t, backend.SetStateStarted(signature))
		require.Zero(t, *asked)
		require.Error(t, backend.SetStateSuccess(signature, nil))
		require.NoError(t, backend.SetStateReceived(signature))
		require.ErrorContains(t, backend.SetStateStarted(signature), "LOADING")
	})
}

// That the queue's Redis works says nothing of another one.
func TestStartedOfATaskFromAnotherRedisIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := starting(t)
		queue, _ := starting(t)
		backend := redisadapter.NewBackend(newConfig(), client)
		signature := task("add", "a")
		defer delivery.BeginFrom(queue, t.Context(), signature).End()
		require.NoError(t, backend.SetStateReceived(signature))
		require.ErrorContains(t, backend.SetStateStarted(signature), "LOADING")
	})
}
