package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// notifyingBackend gives hints when a test says so. Asking it for a state takes time where cost is set.
type notifyingBackend struct {
	backendsiface.Backend
	cost    time.Duration
	err     error
	missing error // of a state that is not there

	mu      sync.Mutex
	asked   int
	ended   map[string]string // UUID → state
	watched []string
	waiting context.Context
	hints   chan struct{}
}

func (b *notifyingBackend) NotifyEnd(ctx context.Context, uuids ...string) (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watched, b.waiting, b.hints = uuids, ctx, make(chan struct{}, 1)
	return b.hints, b.err
}

func (b *notifyingBackend) GetState(uuid string) (*tasks.TaskState, error) {
	time.Sleep(b.cost)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	state, ended := b.ended[uuid]
	if !ended {
		return nil, b.missing
	}
	return &tasks.TaskState{
		TaskUUID: uuid,
		State:    state,
		Error:    "reason",
		Results:  []*tasks.TaskResult{{Type: "string", Value: "result of " + uuid}},
	}, nil
}

// end ends tasks, without a hint.
func (b *notifyingBackend) end(state string, uuids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, uuid := range uuids {
		b.ended[uuid] = state
	}
}

// forget loses the state of a task.
func (b *notifyingBackend) forget(uuid string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ended, uuid)
}

// questions returns how often it was asked for a state since it was last asked this.
func (b *notifyingBackend) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.asked = 0 }()
	return b.asked
}

func (b *notifyingBackend) hint() {
	select {
	case b.hints <- struct{}{}:
	default:
	}
}

// waits runs a test whose clock stands still while anybody works.
func waits(t *testing.T, test func(t *testing.T, m *middleware.Middleware, b *notifyingBackend)) {
	t.Helper()
	waitsOn(t, eagerbroker.New(), test)
}

// waitsOn is waits with a broker.
func waitsOn(t *testing.T, broker brokersiface.Broker, test func(t *testing.T, m *middleware.Middleware, b *notifyingBackend)) {
	t.Helper()
	b := &notifyingBackend{Backend: eagerbackend.New(), ended: make(map[string]string), missing: errors.New("no state")}
	server := machinery.NewServer(&config.Config{NoUnixSignals: true}, broker, b, eagerlock.New())
	m, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) { test(t, m, b) })
}

func named(uuids ...string) (signatures []*tasks.Signature) {
	for _, uuid := range uuids {
		signatures = append(signatures, &tasks.Signature{UUID: uuid, Name: "task"})
	}
	return signatures
}

// Each kind of result, whose last task is "z" and another one "a".
var kinds = map[string]func(b backendsiface.Backend) middleware.Result{
	"task": func(b backendsiface.Backend) middleware.Result { return result.NewAsyncResult(named("z")[0], b) },
	"chain": func(b backendsiface.Backend) middleware.Result {
		return result.NewChainAsyncResult(named("a", "z"), b)
	},
	"chord": func(b backendsiface.Backend) middleware.Result {
		return result.NewChordAsyncResult(named("a"), named("z")[0], b)
	},
}

// await starts waiting, long enough for polls to have become rare.
func await(t *testing.T, m *middleware.Middleware, res middleware.Result) <-chan error {
	ended := make(chan error, 1)
	go func() {
		text, err := middleware.Await[string](t.Context(), m, res)
		if err == nil {
			assert.Equal(t, "result of z", text)
		}
		ended <- err
	}()
	time.Sleep(10 * time.Second)
	synctest.Wait()
	return ended
}

func TestHintEndsTheWaitAtOnce(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		t.Run(kind, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				ended := await(t, m, newResult(b))
				b.end(tasks.StateSuccess, "a", "z")
				at := time.Now()
				b.hint()
				require.NoError(t, <-ended)
				// A chain may be in the middle of a question.
				require.LessOrEqual(t, time.Since(at), time.Millisecond)
				<-b.waiting.Done()
			})
		})
	}
}

func TestHintOfAFailureEndsTheWaitAtOnce(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		for _, failed := range []string{"a", "z"} {
			if kind == "task" && failed == "a" {
				continue
			}
			t.Run(kind+" "+failed, func(t *testing.T) {
				waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
					ended := await(t, m, newResult(b))
					require.Contains(t, b.watched, failed)
					b.end(tasks.StateSuccess, "a")
					b.end(tasks.StateFailure, failed)
					at := time.Now()
					b.hint()
					var failure *middleware.TaskError
					require.ErrorAs(t, <-ended, &failure)
					require.LessOrEqual(t, time.Since(at), time.Millisecond)
				})
			})
		}
	}
}

func TestLostHintOnlyDelaysTheResult(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		t.Run(kind, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				ended := await(t, m, newResult(b))
				b.end(tasks.StateSuccess, "a", "z")
				at := time.Now()
				require.NoError(t, <-ended)
				require.LessOrEqual(t, time.Since(at), 260*time.Millisecond)
			})
		})
	}
}

func TestHintThatComesTooEarlyOnlyDelaysTheResult(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		t.Run(kind, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				ended := await(t, m, newResult(b))
				b.hint()
				time.Sleep(3 * time.Millisecond)
				b.end(tasks.StateSuccess, "a", "z")
				at := time.Now()
				require.NoError(t, <-ended)
				require.LessOrEqual(t, time.Since(at), 10*time.Millisecond)
			})
		})
	}
}

func TestWaitEndsWhenTheStateOfAMemberIsGone(t *testing.T) {
	t.Parallel()
	for name, newResult := range map[string]func(b backendsiface.Backend) middleware.Result{
		"of a chord": kinds["chord"],
		"of a group": func(b backendsiface.Backend) middleware.Result {
			return result.NewAsyncResult(&tasks.Signature{UUID: "a", Name: "task", GroupUUID: "g"}, b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				b.missing = fmt.Errorf("%w: expired", middleware.ErrStateGone)
				b.end(tasks.StatePending, "a")
				ended := await(t, m, newResult(b))
				b.forget("a")
				at := time.Now()
				require.ErrorIs(t, <-ended, middleware.ErrStateGone)
				require.LessOrEqual(t, time.Since(at), 6*time.Second)
			})
		})
	}
}

func TestWaitGoesOnForAStateThatMayComeAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind    string
		missing error
		begin   func(b *notifyingBackend)
	}{
		"of a task that is not sent yet":  {"chord", middleware.ErrStateGone, func(*notifyingBackend) {}},
		"of a task of its own":            {"task", middleware.ErrStateGone, func(b *notifyingBackend) { b.end(tasks.StateStarted, "z") }},
		"of a callback":                   {"chord", middleware.ErrStateGone, func(b *notifyingBackend) { b.end(tasks.StateSuccess, "a") }},
		"where the backend does not tell": {"chord", errors.New("no state"), func(b *notifyingBackend) { b.end(tasks.StatePending, "a") }},
	} {
		t.Run(name, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				b.missing = test.missing
				test.begin(b)
				ended := await(t, m, kinds[test.kind](b))
				b.forget("a")
				b.forget("z")
				time.Sleep(time.Minute)
				b.end(tasks.StateSuccess, "a", "z")
				require.NoError(t, <-ended)
			})
		})
	}
}

// The states of a backend that is no Notifier may be such as can be read once only.
func TestStatesAreReadForTheResultAloneWhereTheBackendIsNoNotifier(t *testing.T) {
	t.Parallel()
	questions := func(groupUUID string) (asked int) {
		b := &notifyingBackend{Backend: eagerbackend.New(), ended: map[string]string{"z": tasks.StatePending}}
		server := machinery.NewServer(&config.Config{NoUnixSignals: true}, eagerbroker.New(), struct{ backendsiface.Backend }{b}, eagerlock.New())
		m, err := middleware.Install(server, envelope.NewRegistry())
		require.NoError(t, err)
		synctest.Test(t, func(t *testing.T) {
			s := &tasks.Signature{UUID: "z", Name: "task", GroupUUID: groupUUID}
			ended := await(t, m, result.NewAsyncResult(s, struct{ backendsiface.Backend }{b}))
			time.Sleep(time.Minute)
			asked = b.questions()
			b.end(tasks.StateSuccess, "z")
			require.NoError(t, <-ended)
		})
		return asked
	}
	require.Equal(t, questions(""), questions("group"))
}

func TestPollsAreRareWhereHintsCome(t *testing.T) {
	t.Parallel()
	waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		ended := await(t, m, kinds["task"](b))
		b.questions()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.InDelta(t, 240, b.questions(), 2)
		b.end(tasks.StateSuccess, "z")
		require.NoError(t, <-ended)
	})
}

func TestManyHintsOfALargeChordDoNotFillTheTimeWithQuestions(t *testing.T) {
	t.Parallel()
	waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		b.cost = 20 * time.Millisecond
		ended := await(t, m, kinds["chord"](b))
		b.questions()
		for range 10_000 {
			b.hint()
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		require.LessOrEqual(t, time.Duration(b.questions())*b.cost, 6*time.Second, "of ten")
		b.end(tasks.StateSuccess, "a", "z")
		b.hint()
		require.NoError(t, <-ended)
	})
}

func TestWithoutHintsResultsArePolled(t *testing.T) {
	t.Parallel()
	waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		b.err = errors.New("no notifications")
		ended := await(t, m, kinds["task"](b))
		b.end(tasks.StateSuccess, "z")
		at := time.Now()
		require.NoError(t, <-ended)
		require.LessOrEqual(t, time.Since(at), 50*time.Millisecond)
	})
}

func TestResultThatIsThereIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		t.Run(kind, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				b.end(tasks.StateSuccess, "a", "z")
				at := time.Now()
				_, err := middleware.Await[string](t.Context(), m, newResult(b))
				require.NoError(t, err)
				require.Zero(t, time.Since(at))
				require.Nil(t, b.watched)
			})
		})
	}
}

func TestWaitEndsWithItsContextWhileHintsCome(t *testing.T) {
	t.Parallel()
	for kind, newResult := range kinds {
		t.Run(kind, func(t *testing.T) {
			waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				at := time.Now()
				_, err := middleware.Await[string](ctx, m, newResult(b))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.LessOrEqual(t, time.Since(at), time.Second+time.Millisecond)
				<-b.waiting.Done()
			})
		})
	}
}

// wrapped is a result of a kind that the middleware does not know.
type wrapped struct{ middleware.Result }

func TestResultOfAnotherKindIsPolled(t *testing.T) {
	t.Parallel()
	waits(t, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		ended := await(t, m, wrapped{kinds["task"](b)})
		b.end(tasks.StateSuccess, "z")
		require.NoError(t, <-ended)
		require.Nil(t, b.watched)
	})
}

func TestAResultThatMakesMachineryPanicIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	s := &tasks.Signature{UUID: "task_x", Name: "x"}
	require.NoError(t, w.backend.SetStateSuccess(s, []*tasks.TaskResult{{Type: "[]string", Value: true}}))
	_, err := middleware.Await[[]string](t.Context(), w.m, result.NewAsyncResult(s, w.backend))
	require.ErrorContains(t, err, "not of the type")
}
