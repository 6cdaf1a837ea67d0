package adaptertest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var attemptClauses = []clause{
	{"TaskThatIsTriedTooOftenGoesToTheDeadLetters", taskThatIsTriedTooOftenGoesToTheDeadLetters},
	{"OneAttemptMayBeAllThatIsAllowed", oneAttemptMayBeAllThatIsAllowed},
	{"TaskIsTriedTenTimesByDefault", taskIsTriedTenTimesByDefault},
	{"AttemptsAreCountedForEachTask", attemptsAreCountedForEachTask},
	{"PausesBetweenAttemptsGrow", pausesBetweenAttemptsGrow},
	{"TaskThatPausesHoldsUpNoOther", taskThatPausesHoldsUpNoOther},
	{"ReplayedTaskStartsAfresh", replayedTaskStartsAfresh},
}

func taskThatIsTriedTooOftenGoesToTheDeadLetters(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce, MaxAttempts: new(3)})
	var seen Journal
	p := Start(t, broker, func(s *tasks.Signature) error {
		_ = seen.Add(&tasks.Signature{UUID: s.UUID})
		s.Args = nil
		return errors.New("backend is down")
	})
	sent := Task("add", "a", tasks.Arg{Type: "string", Value: "kept"})
	Publish(t, broker, sent)
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	Eventually(t, func() bool { return p.Abandoned.Len() > 0 })
	broker.StopConsuming()

	assert.Equal(t, []string{"a", "a", "a"}, seen.UUIDs())
	assert.Contains(t, letter.Reason, f.ErrTooManyAttempts.Error())
	assert.Contains(t, letter.Reason, "backend is down")
	assert.Equal(t, "a", letter.UUID)
	assert.Equal(t, f.queue(), letter.Queue)
	require.NotNil(t, letter.Task)
	assert.Equal(t, sent.Args, letter.Task.Args)
	assert.Zero(t, f.Waiting(t, f.queue()))

	require.Len(t, p.Reasons(), 1, "given up once")
	assert.ErrorIs(t, p.Reasons()[0], f.ErrTooManyAttempts)
	assert.Equal(t, "a", p.Abandoned.Tasks()[0].UUID)
	assert.Equal(t, sent.Args, p.Abandoned.Tasks()[0].Args)
}

func oneAttemptMayBeAllThatIsAllowed(t *testing.T, f *fixture) {
	assert.Equal(t, 1, f.attempts(t, Options{Backoff: atOnce, MaxAttempts: new(1)}))
}

func taskIsTriedTenTimesByDefault(t *testing.T, f *fixture) {
	assert.Equal(t, 10, f.attempts(t, Options{Backoff: atOnce}))
}

// attempts returns how often a task is tried whose processing always fails.
func (f *fixture) attempts(t *testing.T, o Options) int {
	t.Helper()
	broker := f.broker(t, o)
	var seen Journal
	Start(t, broker, func(s *tasks.Signature) error { return errors.Join(seen.Add(s), errors.New("backend is down")) })
	Publish(t, broker, Task("add", "a"))
	awaitLetters(t, f.DeadLetters(t), 1)
	broker.StopConsuming()
	return seen.Len()
}

func attemptsAreCountedForEachTask(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce, MaxAttempts: new(2)})
	var seen Journal
	Work(t, broker, 4, &Processor{Func: func(s *tasks.Signature) error {
		return errors.Join(seen.Add(s), errors.New("backend is down"))
	}})
	Publish(t, broker, Task("add", "a"), Task("add", "b"), Task("add", "c"))
	awaitLetters(t, f.DeadLetters(t), 3)
	broker.StopConsuming()
	assert.ElementsMatch(t, []string{"a", "a", "b", "b", "c", "c"}, seen.UUIDs())
}

// The pauses vary by up to half of each, and a busy machine only makes them longer.
func pausesBetweenAttemptsGrow(t *testing.T, f *fixture) {
	const first, last, clock = 400 * time.Millisecond, 800 * time.Millisecond, time.Millisecond
	broker := f.broker(t, Options{Backoff: &Backoff{First: first, Last: last}, MaxAttempts: new(4)})
	var mu sync.Mutex
	var began, ended []time.Time
	Start(t, broker, func(*tasks.Signature) error {
		mu.Lock()
		defer mu.Unlock()
		began, ended = append(began, time.Now()), append(ended, time.Now())
		return errors.New("backend is down")
	})
	Publish(t, broker, Task("add", "a"))
	awaitLetters(t, f.DeadLetters(t), 1)
	broker.StopConsuming()
	require.Len(t, began, 4)
	for i, pause := range []time.Duration{first, last, last} {
		assert.GreaterOrEqual(t, began[i+1].Sub(ended[i]), pause/2-clock, "pause %d", i+1)
	}
}

func taskThatPausesHoldsUpNoOther(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: &Backoff{First: time.Hour, Last: time.Hour}})
	var seen Journal
	Start(t, broker, func(s *tasks.Signature) error {
		_ = seen.Add(s)
		if s.UUID == "a" {
			return errors.New("backend is down")
		}
		return nil
	})
	Publish(t, broker, Task("add", "a"), Task("add", "b"))
	seen.Await(t, "a", "b")
	Publish(t, broker, Task("add", "c"))
	seen.Await(t, "a", "b", "c")
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.queue()))
	assert.Zero(t, count(t, f.DeadLetters(t)))
}

func replayedTaskStartsAfresh(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce, MaxAttempts: new(2)})
	var seen Journal
	Start(t, broker, func(s *tasks.Signature) error { return errors.Join(seen.Add(s), errors.New("backend is down")) })
	Publish(t, broker, Task("add", "a"))
	first := awaitLetters(t, f.DeadLetters(t), 1)[0]
	require.NoError(t, f.DeadLetters(t).Replay(t.Context(), first.ID))
	Eventually(t, func() bool { return seen.Len() >= 4 })
	awaitLetters(t, f.DeadLetters(t), 1)
	broker.StopConsuming()
	assert.Equal(t, []string{"a", "a", "a", "a"}, seen.UUIDs())
}
