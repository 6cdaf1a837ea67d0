package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// unreachable is a backend that takes no state of a task for some time.
type unreachable struct {
	backendsiface.Backend
	until time.Time
}

func (u *unreachable) err() error {
	if time.Now().Before(u.until) {
		return errors.New("down")
	}
	return nil
}

func (u *unreachable) SetStateRetry(s *tasks.Signature) error {
	if err := u.err(); err != nil {
		return err
	}
	return u.Backend.SetStateRetry(s)
}

func (u *unreachable) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if err := u.err(); err != nil {
		return err
	}
	return u.Backend.SetStateSuccess(s, results)
}

// next is a callback.
func next() []*tasks.Signature { return []*tasks.Signature{{UUID: "task_next", Name: "next"}} }

func TestAnOutageOfTheBackendLosesNoResult(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		runs := 0
		backend := &unreachable{Backend: w.backend.Backend}
		w.backend.Backend = backend
		require.NoError(t, w.server.RegisterTask("t", func() (string, error) {
			runs++
			backend.until = time.Now().Add(24 * time.Hour)
			return "kept", nil
		}))
		s := signatureOf("t")
		s.OnSuccess = next()
		require.NoError(t, w.deliver(s))
		assert.Equal(t, 1, runs)
		state := w.state(t, s.UUID)
		require.True(t, state.IsSuccess())
		assert.Equal(t, "kept", state.Results[0].Value)
		require.Len(t, w.broker.published, 1)
		assert.Equal(t, "kept", w.broker.published[0].Args[0].Value)
		assert.Empty(t, w.dead.tasks)
	})
}

// restarting is what a redisadapter backend says of a server that reads what it has kept.
type restarting struct{ error }

func (restarting) Temporary() bool { return true }

// A server that is killed closes connections: in the end each of those that a client has kept has told it so.
func TestAConnectionThatEndsIsNoRefusalOfTheResult(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"end of a connection":   fmt.Errorf("write state SUCCESS of task task_t: %w", io.EOF),
		"end within a reply":    io.ErrUnexpectedEOF,
		"reset of a connection": &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"restart":               restarting{errors.New("LOADING Redis is loading the dataset in memory")},
	} {
		t.Run(name, func(t *testing.T) {
			forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
				const failures = 5
				backend := &interrupted{Backend: w.backend.Backend, failure: failure, left: failures}
				w.backend.Backend = backend
				require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
				s := signatureOf("t")
				s.OnSuccess = next()
				require.NoError(t, w.deliver(s))
				assert.Zero(t, backend.left)
				assert.True(t, w.state(t, s.UUID).IsSuccess())
				assert.Len(t, w.broker.published, 1, "what follows the task")
				assert.Empty(t, w.dead.tasks)
			})
		})
	}
}

// interrupted is a backend that fails to take results so many times.
type interrupted struct {
	backendsiface.Backend
	failure error
	left    int
}

func (i *interrupted) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if i.left > 0 {
		i.left--
		return i.failure
	}
	return i.Backend.SetStateSuccess(s, results)
}

func TestATaskComesAgainWhoseWorkerStopsInAnOutage(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		down := errors.New("down")
		require.NoError(t, w.server.RegisterTask("t", func() error {
			w.backend.retry, w.backend.success, w.backend.failure = down, down, down
			return nil
		}))
		s := signatureOf("t")
		s.OnSuccess = next()
		ended := make(chan error, 1)
		go func() { ended <- w.deliver(s) }()
		time.Sleep(24 * time.Hour)
		assert.Empty(t, ended, "it is written again and again")
		w.server.GetBroker().StopConsuming()
		requireAgain(t, w, <-ended)
	})
}

// pendingDown is a backend that is down when a callback is to be sent.
type pendingDown struct{ *flaky }

func (p pendingDown) SetStatePending(*tasks.Signature) error {
	p.retry = errors.New("down")
	return p.retry
}

func TestATaskComesAgainWhoseCallbackCouldNotBeSentInAnOutage(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		w.backend.Backend = pendingDown{&flaky{Backend: w.backend.Backend}}
		require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
		s := signatureOf("t")
		s.OnSuccess = next()
		ended := make(chan error, 1)
		go func() { ended <- w.deliver(s) }()
		time.Sleep(24 * time.Hour)
		assert.Empty(t, ended)
		w.server.GetBroker().StopConsuming()
		requireAgain(t, w, <-ended)
	})
}

// pendingInterrupted is a backend that takes the state of a callback at the third attempt, and every other one.
type pendingInterrupted struct {
	backendsiface.Backend
	attempts int
	seen     func()
}

func (p *pendingInterrupted) SetStatePending(s *tasks.Signature) error {
	p.seen()
	if p.attempts++; p.attempts < 3 {
		return errors.New("not now")
	}
	return p.Backend.SetStatePending(s)
}

func TestATaskStaysEndedWhileItsCallbackCannotBeSent(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		s := signatureOf("t")
		s.OnSuccess = next()
		backend := &pendingInterrupted{Backend: w.backend.Backend}
		backend.seen = func() { assert.True(t, w.state(t, s.UUID).IsSuccess(), "at attempt %d", backend.attempts) }
		w.backend.Backend = backend
		require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
		require.NoError(t, w.deliver(s))
		assert.Equal(t, 3, backend.attempts)
		assert.True(t, w.state(t, s.UUID).IsSuccess())
		assert.Len(t, w.broker.published, 1)
	})
}

// pendingRefused is a backend that takes every state but PENDING.
type pendingRefused struct{ backendsiface.Backend }

func (pendingRefused) SetStatePending(*tasks.Signature) error { return errors.New("refused") }

func TestACallbackFailsWhoseStateIsRefused(t *testing.T) {
	t.Parallel()
	forEachKindOfBroker(t, func(t *testing.T, w *workplace) {
		w.backend.Backend = pendingRefused{w.backend.Backend}
		require.NoError(t, w.server.RegisterTask("t", func() error { return nil }))
		s := signatureOf("t")
		s.OnSuccess = next()
		require.NoError(t, w.deliver(s))
		assert.True(t, w.state(t, s.UUID).IsSuccess())
		callback := w.state(t, s.OnSuccess[0].UUID)
		assert.Equal(t, tasks.StateFailure, callback.State)
		assert.Equal(t, "callback could not be sent: refused", callback.Error)
		assert.Empty(t, w.broker.published)
		_, err := w.backend.GetState(s.UUID + "_probe")
		assert.Error(t, err, "nothing is left in the backend")
	})
}

// requireAgain checks that the broker has the task, or gets it back.
func requireAgain(t *testing.T, w *workplace, err error) {
	t.Helper()
	assert.Empty(t, w.dead.tasks)
	if err != nil {
		require.ErrorIs(t, err, middleware.ErrStopped)
		assert.Empty(t, w.broker.published)
		return
	}
	require.Len(t, w.broker.published, 1)
	assert.Equal(t, "task_t", w.broker.published[0].UUID)
	assert.Equal(t, next()[0].UUID, w.broker.published[0].OnSuccess[0].UUID)
}

func TestOneWorkerStopsInAnOutageWhileTheOthersGoOn(t *testing.T) {
	t.Parallel()
	w := newRedeliveringWorkplace(t, true)
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, w.server.RegisterTask("t", func() error {
			w.backend.retry, w.backend.success = errors.New("down"), errors.New("down")
			return nil
		}))
		stopping, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		err := middleware.ProcessUntil(stopping, w.broker.processor, signatureOf("t"))
		require.ErrorIs(t, err, middleware.ErrStopped)
		require.ErrorIs(t, err, w.backend.success)
	})
}

// groupDown is a backend that cannot tell whether a group has ended, and takes nothing else meanwhile, until it is up.
type groupDown struct {
	*flaky
	up atomic.Bool
}

func (g *groupDown) SetStateRetry(s *tasks.Signature) error {
	if !g.up.Load() {
		return errors.New("down")
	}
	return g.flaky.SetStateRetry(s)
}

func (g *groupDown) GroupCompleted(groupUUID string, taskCount int) (bool, error) {
	if !g.up.Load() {
		return false, errors.New("down")
	}
	return g.flaky.GroupCompleted(groupUUID, taskCount)
}

func TestOneMemberOfAChordComesAgainInAnOutageWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	w := newRedeliveringWorkplace(t, true)
	backend := &groupDown{flaky: &flaky{Backend: w.backend.Backend}}
	w.backend.Backend = backend
	const others = 20
	require.NoError(t, w.backend.InitGroup("group", []string{"task_first"}))
	member := func(name string) *tasks.Signature {
		s := signatureOf(name)
		s.GroupUUID, s.GroupTaskCount, s.ChordCallback = "group", others+1, &tasks.Signature{UUID: "task_next", Name: "next"}
		return s
	}
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		require.NoError(t, w.server.RegisterTask("first", func() error { return nil }))
		require.NoError(t, w.server.RegisterTask("other", func() error { <-goOn; return nil }))
		ended := make(chan error, others)
		for i := range others {
			s := member("other")
			s.UUID += strconv.Itoa(i)
			go func() { ended <- w.deliver(s) }()
		}
		synctest.Wait()
		stopping, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		require.ErrorIs(t, middleware.ProcessUntil(stopping, w.broker.processor, member("first")), middleware.ErrStopped)
		backend.up.Store(true)
		for range others { // one by one: the eager backend has no locks where it reads
			goOn <- struct{}{}
			assert.NoError(t, <-ended, "they have ended, and nothing was lost")
		}
	})
}
