package middlewaretest_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

func TestFailPublishFailsSends(t *testing.T) {
	s := newShop(t)
	s.FailPublish(2)
	for range 2 {
		_, err := s.SendTask(signature(t, s, "orders.price", order, 250))
		assert.ErrorContains(t, err, middlewaretest.ErrPublish.Error()) // Machinery keeps the text alone
	}
	send(t, s, signature(t, s, "orders.price", order, 250))
	assert.Len(t, middlewaretest.Sent(s), 1)
}

// The worker could not publish the callback of a chord, so that the member runs again, after a pause.
func TestFailPublishFailsWorkers(t *testing.T) {
	s := newShop(t)
	res, err := s.Middleware.SendChord(t.Context(), newChord(t, s), 1)
	require.NoError(t, err)
	s.FailPublish(1)
	assert.Equal(t, 3, s.Run(t.Context()))
	s.Advance(time.Second)
	assert.Equal(t, 2, s.Run(t.Context()))
	assert.Equal(t, Quote{"o-1", 720}, await[Quote](t, s, res))
}

func TestATaskIsDeliveredAgainWhoseConnectionIsLost(t *testing.T) {
	s := newShop(t)
	calls := 0
	register(t, s, "count", func() error {
		calls++
		_, err := s.SendTask(&tasks.Signature{Name: "orders.cheapest"})
		if calls == 1 {
			assert.ErrorContains(t, err, middlewaretest.ErrConnection.Error())
		}
		return nil
	})
	send(t, s, signature(t, s, "count"))
	s.LoseConnection()
	assert.True(t, s.RunOne())
	assert.True(t, s.RunOne())
	assert.Equal(t, 2, calls)
	assert.Len(t, middlewaretest.Sent(s), 2)
}

func TestATaskLosesItsConnection(t *testing.T) {
	s := newShop(t)
	calls := 0
	register(t, s, "lose", func() error {
		if calls++; calls == 1 {
			s.LoseConnection()
		}
		return nil
	})
	send(t, s, signature(t, s, "lose"))
	assert.Equal(t, 2, s.Run(t.Context()))
	assert.Equal(t, 2, calls)
}

func TestATaskThatHasEndedHasEndedWhileItRunsAgain(t *testing.T) {
	s := newShop(t)
	var states []string
	var made *tasks.Signature
	register(t, s, "look", func() error {
		states = append(states, stateOf(t, s, made.UUID))
		return nil
	})
	made = signature(t, s, "look")
	send(t, s, made)
	s.Run(t.Context())
	s.Redeliver(made.UUID)
	s.Run(t.Context())
	assert.Equal(t, []string{tasks.StateStarted, tasks.StateSuccess}, states)
}

func TestRedeliver(t *testing.T) {
	s := newShop(t)
	made := signature(t, s, "orders.price", order, 250)
	send(t, s, made)
	assert.Equal(t, 1, s.Run(t.Context()))
	s.Redeliver(made.UUID)
	assert.Equal(t, 1, s.Run(t.Context()))
	assert.Contains(t, failureOf(t, func(tb middlewaretest.TB) {
		middlewaretest.NewServer(tb, newRegistry()).Redeliver("nobody")
	}), "no task nobody was published")
}

// The states that a task is in when its worker has died after so many steps.
func TestKillWorkerAfter(t *testing.T) {
	for steps, want := range []struct {
		state string
		calls int
	}{
		{tasks.StatePending, 0}, {tasks.StateReceived, 0}, {tasks.StateStarted, 1}, {tasks.StateSuccess, 1}, {tasks.StateSuccess, 1},
	} {
		s := newShop(t)
		calls := 0
		register(t, s, "count", func() error {
			calls++
			return nil
		})
		made := signature(t, s, "count")
		send(t, s, made)
		s.KillWorkerAfter(steps)
		require.True(t, s.RunOne())
		assert.Equal(t, want.state, stateOf(t, s, made.UUID), "%d steps", steps)
		assert.Equal(t, want.calls, calls, "%d steps", steps)
		assert.Equal(t, steps < 4, s.RunOne(), "%d steps: it comes again", steps)
		assert.Equal(t, tasks.StateSuccess, stateOf(t, s, made.UUID), "%d steps", steps)
	}
}

// A chord goes on wherever a worker dies.
func TestAChordSurvivesItsWorkers(t *testing.T) {
	for member := range 4 {
		for steps := range 7 {
			s := newShop(t)
			res, err := s.Middleware.SendChord(t.Context(), newChord(t, s), 1)
			require.NoError(t, err)
			for range member {
				s.RunOne()
			}
			s.KillWorkerAfter(steps)
			s.Run(t.Context())
			assert.Equal(t, Quote{"o-1", 720}, await[Quote](t, s, res), "task %d after %d steps", member, steps)
			assert.Len(t, middlewaretest.Sent(s), 4, "task %d after %d steps: the callback is sent once", member, steps)
		}
	}
}

func TestATaskThatKeepsKillingWorkersIsADeadLetter(t *testing.T) {
	s := newShop(t)
	made := signature(t, s, "orders.price", order, 250)
	send(t, s, made)
	for range 10 {
		s.KillWorkerAfter(1)
		require.True(t, s.RunOne())
	}
	s.Run(t.Context())
	letters := s.DeadLetters()
	require.Len(t, letters, 1)
	assert.ErrorIs(t, letters[0].Reason, middlewaretest.ErrTooManyAttempts)
	assert.Equal(t, made.UUID, letters[0].Task.UUID)
	assert.Equal(t, tasks.StateFailure, stateOf(t, s, made.UUID))
}

// As t.FailNow does, called by a task.
func TestATaskThatEndsItsGoroutineEndsTheTest(t *testing.T) {
	s := newShop(t)
	register(t, s, "exit", func() error {
		runtime.Goexit()
		return nil
	})
	for _, dies := range []bool{false, true} {
		send(t, s, signature(t, s, "exit"))
		returned := make(chan bool, 1)
		go func() {
			defer close(returned)
			if dies {
				s.KillWorkerAfter(100)
			}
			s.RunOne()
			returned <- true
		}()
		assert.False(t, <-returned)
	}
}

func TestCorrupt(t *testing.T) {
	for path, want := range map[string]error{
		"":                        nil,
		"Name":                    nil,
		"Args[0].Value":           middleware.ErrUnreadable,
		"Args.0.Value.type":       envelope.ErrMalformed,
		"Args[0].Value.data":      envelope.ErrTypeMismatch,
		"Args[0].Value.data.qty":  envelope.ErrTypeMismatch,
		"Args[1].Value":           middleware.ErrUnreadable,
		"Args[1].Type":            nil,
		"Headers.envelope-format": nil,
	} {
		t.Run(path, func(t *testing.T) {
			s := newShop(t)
			made := signature(t, s, "orders.price", order, 250)
			send(t, s, made)
			s.Corrupt(made.UUID, path)
			s.Run(t.Context())
			if letters := s.DeadLetters(); want != nil && assert.Len(t, letters, 1) {
				assert.ErrorIs(t, letters[0].Reason, want)
				assert.Equal(t, tasks.StateFailure, stateOf(t, s, made.UUID))
			}
		})
	}
}

func TestCorruptFailsTheTestWhereThereIsNothing(t *testing.T) {
	for path, want := range map[string]string{
		"Args[5].Value": "there is nothing at 5",
		"Name.deeper":   "there is nothing at deeper",
		"Args..":        "there is nothing at ",
	} {
		failure := failureOf(t, func(tb middlewaretest.TB) {
			s := middlewaretest.NewServer(tb, newRegistry())
			made := signature(t, s, "orders.price", order, 250)
			send(t, s, made)
			s.Corrupt(made.UUID, path)
		})
		assert.Contains(t, failure, want)
	}
	assert.Contains(t, failureOf(t, func(tb middlewaretest.TB) {
		middlewaretest.NewServer(tb, newRegistry()).Corrupt("nobody", "Name")
	}), "no message of task nobody waits")
}

func TestWhatCannotBeReadIsADeadLetter(t *testing.T) {
	s := newShop(t)
	made := signature(t, s, "orders.price", order, 250)
	send(t, s, made)
	s.Corrupt(made.UUID, "")
	assert.Equal(t, 1, s.Run(t.Context()))
	require.Len(t, s.DeadLetters(), 1)
	assert.Nil(t, s.DeadLetters()[0].Task)
	assert.ErrorContains(t, s.DeadLetters()[0].Reason, "no task")

	s.Redeliver(made.UUID) // as it was published
	s.Run(t.Context())
	assert.Equal(t, tasks.StateSuccess, stateOf(t, s, made.UUID))
}

func TestFailuresAreDeadLettersWhereThatIsWanted(t *testing.T) {
	s := newShop(t, middleware.WithDeadLetterFailures())
	register(t, s, "fail", func() error { return errors.New("no") })
	send(t, s, signature(t, s, "fail"))
	s.Run(t.Context())
	require.Len(t, s.DeadLetters(), 1)
	assert.ErrorContains(t, s.DeadLetters()[0].Reason, "no")
}
