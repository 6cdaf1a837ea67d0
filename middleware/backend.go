package middleware

import (
	"errors"
	"fmt"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// errBackendReplaced is returned where the middleware would not see how tasks end, nor sign their results.
var errBackendReplaced = errors.New("the result backend was set after middleware.Install: set it before")

// signedBackend is a decorated result backend.
type signedBackend interface {
	backendsiface.Backend
	Unwrap() backendsiface.Backend
	signsStates()
}

// signingBackend signs how tasks have ended when workers write it, and verifies it when anybody reads it: the sender,
// or the worker that gathers the results of a chord, which become arguments of its callback.
type signingBackend struct {
	backendsiface.Backend
	m *Middleware
}

// notifyingBackend keeps what Await looks for.
type notifyingBackend struct {
	*signingBackend
	Notifier
}

// A ChordFailer is a backend that ends chords by itself which cannot be completed. That of package redisadapter is one.
type ChordFailer interface {
	// FailChordsBy has the backend call fail for the callback of such a chord, with the reason, in the place of its own
	// SetStateFailure: the state is signed then. Install calls it with SignTasks, before anything else uses the backend.
	FailChordsBy(fail func(callback *tasks.Signature, reason string) error)
}

func decorateBackend(m *Middleware, inner backendsiface.Backend) backendsiface.Backend {
	states := decorateStates(m, inner)
	if m.signing == nil {
		return states
	}
	outer := &signingBackend{states, m}
	if chords, ok := inner.(ChordFailer); ok {
		chords.FailChordsBy(outer.SetStateFailure)
	}
	if notifier, ok := inner.(Notifier); ok {
		return &notifyingBackend{outer, notifier}
	}
	return outer
}

// checkBackend returns an error if the server has another backend than the middleware has given it.
func (m *Middleware) checkBackend() error {
	b := m.server.GetBackend()
	if b == nil {
		return nil // Machinery's to refuse
	}
	if _, ok := b.(interface{ Unwrap() backendsiface.Backend }); !ok {
		return errBackendReplaced
	}
	if _, ok := b.(signedBackend); !ok && m.signing != nil {
		return errBackendReplaced
	}
	return nil
}

// undecorated returns the backend that the middleware was installed over.
func undecorated(b backendsiface.Backend) backendsiface.Backend {
	if outer, ok := b.(interface{ Unwrap() backendsiface.Backend }); ok {
		return outer.Unwrap()
	}
	return b
}

// Unwrap returns the backend that the middleware was installed over.
func (b *signingBackend) Unwrap() backendsiface.Backend { return undecorated(b.Backend) }

func (b *signingBackend) signsStates() {}

// SetStateSuccess keeps the results of a task and signs them.
func (b *signingBackend) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if b.m.signing.unsignedResults {
		return b.Backend.SetStateSuccess(s, results)
	}
	signed, err := b.m.signing.Results(s, results)
	if err != nil {
		return err
	}
	return b.Backend.SetStateSuccess(s, signed)
}

// SetStateFailure keeps why a task has failed and signs it.
func (b *signingBackend) SetStateFailure(s *tasks.Signature, reason string) error {
	if b.m.signing.unsignedResults {
		return b.Backend.SetStateFailure(s, reason)
	}
	signed, err := b.m.signing.Failure(s, reason)
	if err != nil {
		return err
	}
	return b.Backend.SetStateFailure(s, signed)
}

// GetState returns the state of a task. In the place of an end that is not genuine it returns a failure that says so.
func (b *signingBackend) GetState(taskUUID string) (*tasks.TaskState, error) {
	state, err := b.Backend.GetState(taskUUID)
	if err != nil || !state.IsCompleted() {
		return state, err
	}
	state.TaskUUID = taskUUID
	if err := b.m.signing.OpenState(state); err != nil {
		state.State, state.Results, state.Error = tasks.StateFailure, nil, stateRefusal(err)
	}
	return state, nil
}

// GroupTaskStates returns the states of the tasks of a group. Where the results are not all genuine, and of different
// tasks of the group, it returns an error, and the callback of the chord whose results are being gathered fails.
func (b *signingBackend) GroupTaskStates(groupUUID string, taskCount int) ([]*tasks.TaskState, error) {
	states, err := b.Backend.GroupTaskStates(groupUUID, taskCount)
	if err != nil {
		return states, err
	}
	if err := b.m.signing.OpenGroup(groupUUID, taskCount, states); err != nil {
		b.refuseCallback(groupUUID, err)
		return nil, err
	}
	return states, nil
}

// refuseCallback fails the callback of a chord. Nobody gathers its results but a worker that is processing one of its
// members, so it is found there.
func (b *signingBackend) refuseCallback(groupUUID string, reason error) {
	if d := deliveries.inGroup(b.m, groupUUID); d != nil {
		callback := d.signature.ChordCallback
		b.m.failer.refuseCallback(callback, fmt.Errorf("task %q: %w", callback.Name, reason))
	}
}

// stateRefusal is the text of the failure that stands for an end which is not genuine. See readRefusal.
func stateRefusal(err error) string { return refusalText(fmt.Errorf("result of the task: %w", err)) }
