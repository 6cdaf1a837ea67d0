package middleware

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/RichardKnop/machinery/v2"
	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A failer ends tasks that no worker runs to their end.
type failer struct {
	server   *machinery.Server
	reporter *reporter
	letters  *letters
}

// abandon ends a task that will not be tried again. It makes no dead letter of it.
func (f *failer) abandon(s *tasks.Signature, reason error) {
	f.reporter.about(s).Error("envelope: a task is given up", errorKind(reason))
	f.setFailure(s, reason)
	f.reporter.failed(s.Name, reason)
}

// unreadable ends a task, given as it was received, whose arguments Machinery could not make sense of. The worker has
// set FAILURE. Machinery's error may hold a value, which is not for observers.
func (f *failer) unreadable(s *tasks.Signature, err error) {
	reason := envelope.ErrTypeMismatch
	if unopened := (*unopenedError)(nil); errors.As(err, &unopened) {
		reason = unopened.cause
	}
	f.reporter.about(s).Error("envelope: a task has arguments that are unreadable", errorKind(reason))
	f.reporter.failed(s.Name, reason)
}

// refuse ends a task without a good signature. Its sender, if it has one, learns that by its FAILURE, as far as that
// can be told without helping a forger.
func (f *failer) refuse(s *tasks.Signature, reason error) {
	if f.mayFail(s) {
		// Without its group: on RabbitMQ this would count as an end of one of its members.
		f.setFailure(&tasks.Signature{UUID: s.UUID, Name: s.Name}, reason)
	}
	f.noteRefusal(s, reason)
}

// refuseCallback ends the callback of a chord whose members' results are not genuine. It was in no message of its own.
func (f *failer) refuseCallback(callback *tasks.Signature, reason error) {
	f.setFailure(callback, reason)
	f.noteRefusal(callback, reason)
	f.letters.push(callback, reason)
}

// noteRefusal logs the text of the reason: those for a refusal hold no value.
func (f *failer) noteRefusal(s *tasks.Signature, reason error) {
	f.reporter.about(s).Error("envelope: refused task", "error", reason)
	f.reporter.failed(s.Name, reason)
}

func (f *failer) setFailure(s *tasks.Signature, reason error) {
	if err := f.server.GetBackend().SetStateFailure(s, refusalText(reason)); err != nil {
		f.reporter.about(s).Error("envelope: the state FAILURE could not be set", errorKind(err))
	}
}

// mayFail reports whether FAILURE may be set for a task that is refused. A forger may have given it the UUID of another
// task, or the name of any key in the result backend, such as that of a queue which is empty just now. So what is no
// state stays, and a state that a worker has set already. What nobody has begun is failed: it may be the task that was
// tampered with, and its sender waits.
func (f *failer) mayFail(s *tasks.Signature) bool {
	backend := undecorated(f.server.GetBackend())
	if _, ok := backend.(*amqpbackend.Backend); ok {
		return true // a state that is read there is gone
	}
	state, err := backend.GetState(s.UUID)
	if err == nil {
		return state.TaskUUID == s.UUID && state.State == tasks.StatePending
	}
	return isUUID(s.UUID) && !isForeign(err)
}

// isUUID reports whether a text is an identifier as Machinery makes them.
func isUUID(text string) bool {
	for _, prefix := range []string{"task_", "chord_"} {
		text = strings.TrimPrefix(text, prefix)
	}
	return uuid.Validate(text) == nil
}

// isForeign reports whether a backend found something that is no state.
func isForeign(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "WRONGTYPE")
}
