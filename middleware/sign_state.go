package middleware

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// A signed result has one more element of this type, and a signed failure one
// more line that begins with the mark.
const (
	stateSignatureType = SignatureHeader
	stateSignatureMark = "\n" + SignatureHeader + ": "
)

// errBackendReplaced is returned where results would be neither signed nor
// verified.
var errBackendReplaced = errors.New("the result backend was set after middleware.Install: with SignTasks, set it before")

// signedBackend is a decorated result backend.
type signedBackend interface {
	backendsiface.Backend
	Unwrap() backendsiface.Backend
	signsStates()
}

// signingBackend signs how tasks have ended when workers write it, and verifies it
// when anybody reads it: the sender, or the worker that gathers the results of
// a chord, which become arguments of its callback.
type signingBackend struct {
	backendsiface.Backend
	m *Middleware
}

// notifyingBackend keeps what Await looks for.
type notifyingBackend struct {
	*signingBackend
	Notifier
}

func (m *Middleware) decorateBackend(inner backendsiface.Backend) backendsiface.Backend {
	outer := &signingBackend{inner, m}
	if notifier, ok := inner.(Notifier); ok {
		return &notifyingBackend{outer, notifier}
	}
	return outer
}

// Unwrap returns the backend that the middleware was installed over.
func (b *signingBackend) Unwrap() backendsiface.Backend { return b.Backend }

func (b *signingBackend) signsStates() {}

// errUnverified is returned for a result that would be read without verifying it.
var errUnverified = errors.New("the result is not of the server's backend, which verifies it: make it with server.GetBackend()")

// checkResult returns an error if the signature of a result would not be looked
// at: Machinery's results know their backend, in a field of that name.
func (m *Middleware) checkResult(res Result) error {
	value := reflect.Indirect(reflect.ValueOf(res))
	if !m.signing.wanted || value.Kind() != reflect.Struct {
		return nil
	}
	backend := value.FieldByName("backend")
	if !backend.IsValid() || backend.Kind() != reflect.Interface || backend.IsNil() {
		return nil
	}
	if !backend.Elem().Type().Implements(reflect.TypeFor[signedBackend]()) {
		return errUnverified
	}
	return nil
}

// checkBackend returns an error if states are to be signed and are not.
func (m *Middleware) checkBackend() error {
	if _, ok := m.server.GetBackend().(signedBackend); m.signing.wanted && !ok {
		return errBackendReplaced
	}
	return nil
}

// SetStateSuccess keeps the results of a task and signs them.
func (b *signingBackend) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	if b.m.signing.unsignedResults {
		return b.Backend.SetStateSuccess(s, results)
	}
	text, err := b.m.signState(s.GroupUUID, tasks.NewSuccessTaskState(s, results))
	if err != nil {
		return err
	}
	signature := &tasks.TaskResult{Type: stateSignatureType, Value: text}
	return b.Backend.SetStateSuccess(s, append(slices.Clone(results), signature))
}

// SetStateFailure keeps why a task has failed and signs it.
func (b *signingBackend) SetStateFailure(s *tasks.Signature, reason string) error {
	if b.m.signing.unsignedResults {
		return b.Backend.SetStateFailure(s, reason)
	}
	text, err := b.m.signState(s.GroupUUID, tasks.NewFailureTaskState(s, reason))
	if err != nil {
		return err
	}
	return b.Backend.SetStateFailure(s, reason+stateSignatureMark+text)
}

// GetState returns the state of a task. In the place of an end that is not
// genuine it returns a failure that says so.
func (b *signingBackend) GetState(taskUUID string) (*tasks.TaskState, error) {
	state, err := b.Backend.GetState(taskUUID)
	if err != nil || !state.IsCompleted() {
		return state, err
	}
	state.TaskUUID = taskUUID
	if _, err := b.m.openState(state); err != nil {
		state.State, state.Results, state.Error = tasks.StateFailure, nil, stateRefusal(err)
	}
	return state, nil
}

// GroupTaskStates returns the states of the tasks of a group. Where the results
// are not all genuine, and of different tasks of the group, it returns an error,
// and the callback of the chord that is being gathered fails.
func (b *signingBackend) GroupTaskStates(groupUUID string, taskCount int) ([]*tasks.TaskState, error) {
	states, err := b.Backend.GroupTaskStates(groupUUID, taskCount)
	if err != nil {
		return states, err
	}
	if _, ok := b.Backend.(*amqpbackend.Backend); ok {
		// The worker does this itself for a backend that it knows as RabbitMQ's.
		_ = b.Backend.PurgeGroupMeta(groupUUID)
	}
	if err := b.m.openStates(groupUUID, taskCount, states); err != nil {
		b.m.refuseCallback(groupUUID, err)
		return nil, err
	}
	return states, nil
}

func (m *Middleware) openStates(groupUUID string, taskCount int, states []*tasks.TaskState) error {
	if len(states) != taskCount {
		return fmt.Errorf("result of the chord: %d of %d members: %w", len(states), taskCount, ErrForged)
	}
	seen := make(map[string]bool, len(states))
	for i, state := range states {
		if !state.IsCompleted() {
			continue // the worker will not call back
		}
		proof, err := m.openState(state)
		if err == nil && (seen[state.TaskUUID] || proof.signed && proof.groupUUID != groupUUID) {
			err = ErrForged
		}
		if err != nil {
			return fmt.Errorf("result of member %d of the chord: %w", i+1, err)
		}
		seen[state.TaskUUID] = true
	}
	return nil
}

// expectGathering notes that results may be gathered for the callback of a
// member's chord, until the function that it returns is called.
func (m *Middleware) expectGathering(member *tasks.Signature) (done func()) {
	if !m.signing.wanted || member.ChordCallback == nil {
		return func() {}
	}
	m.gathering.Store(member, nil)
	return func() { m.gathering.Delete(member) }
}

// refuseCallback fails the callback of a chord whose members' results are not
// genuine. The group is one whose member is being processed here: nobody else
// gathers results.
func (m *Middleware) refuseCallback(groupUUID string, reason error) {
	m.gathering.Range(func(key, _ any) bool {
		member := key.(*tasks.Signature)
		if member.GroupUUID != groupUUID {
			return true
		}
		reason = fmt.Errorf("task %q: %w", member.ChordCallback.Name, reason)
		m.setFailure(member.ChordCallback, reason)
		m.noteRefusal(member.ChordCallback, reason)
		return false
	})
}

// signState returns the signature of how a task has ended: the version, the
// group of the task and the MAC.
func (m *Middleware) signState(groupUUID string, state *tasks.TaskState) (string, error) {
	stamp := signatureVersion + " " + groupUUID
	form := formOfState(stamp, state)
	defer form.free()
	mac, err := form.compute(m.signing.mac)
	if err != nil {
		return "", fmt.Errorf("sign result of task %s: %w", state.TaskUUID, err)
	}
	return stamp + " " + mac, nil
}

// A stateProof is what the signature of a state says beside the MAC, which covers
// it.
type stateProof struct {
	signed    bool
	groupUUID string
}

// openState verifies how a task has ended and removes the signature.
func (m *Middleware) openState(state *tasks.TaskState) (stateProof, error) {
	text, signed := cutSignature(state)
	if !signed && m.signing.acceptUnsigned {
		return stateProof{}, nil
	}
	if !signed {
		return stateProof{}, ErrUnsigned
	}
	at := max(strings.LastIndexByte(text, ' '), 0)
	stamp, mac := text[:at], strings.TrimPrefix(text[at:], " ")
	form := formOfState(stamp, state)
	defer form.free()
	groupUUID, ours := strings.CutPrefix(stamp, signatureVersion+" ")
	if !ours {
		return stateProof{}, ErrForged
	}
	return stateProof{true, groupUUID}, form.verify(m.signing.mac, mac)
}

func formOfState(stamp string, state *tasks.TaskState) *signedForm {
	form := newSignedForm(stateForm)
	form.text(stamp)
	form.text(state.TaskUUID)
	form.text(state.State)
	form.text(state.Error)
	form.number(len(state.Results))
	for _, result := range state.Results {
		form.flag(result != nil)
		if result == nil {
			continue
		}
		form.text(result.Type)
		form.value(result.Value)
	}
	return form
}

// cutSignature removes the signature from the results or the error of a state.
func cutSignature(state *tasks.TaskState) (text string, found bool) {
	if state.IsFailure() {
		at := strings.LastIndex(state.Error, stateSignatureMark)
		if at < 0 {
			return "", false
		}
		text = state.Error[at+len(stateSignatureMark):]
		state.Error = state.Error[:at]
		return text, true
	}
	last := len(state.Results) - 1
	if last < 0 || state.Results[last] == nil || state.Results[last].Type != stateSignatureType {
		return "", false
	}
	text, _ = state.Results[last].Value.(string)
	state.Results = state.Results[:last]
	return text, true
}

// stateRefusal is the text of the failure that stands for an end which is not
// genuine. See readRefusal.
func stateRefusal(err error) string { return "result of the task: " + err.Error() }

// readRefusal returns why a result was refused, if that is what a failure's text
// says.
func readRefusal(text string) error {
	for _, reason := range []error{ErrUnsigned, ErrForged} {
		if text == stateRefusal(reason) {
			return reason
		}
	}
	return nil
}
