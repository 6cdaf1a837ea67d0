package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
)

// Verify tells whether a worker would take a task, given as it was received, for
// its signature: nil, or ErrUnsigned, ErrForged or ErrExpired, wrapped. Without
// SignTasks that is nil. Ask before sending a dead letter again through the
// server, which would sign it.
func (m *Middleware) Verify(s *tasks.Signature) error {
	if !m.signing.wanted {
		return nil
	}
	if err := m.verify(s); err != nil {
		return fmt.Errorf("task %q: %w", s.Name, err)
	}
	return nil
}

func (m *Middleware) verify(s *tasks.Signature) error {
	header, signed := s.Headers[SignatureHeader]
	if !signed && m.signing.acceptUnsigned {
		return nil
	}
	if !signed {
		return ErrUnsigned
	}
	text, _ := header.(string)
	stamp, mac, err := parseSignature(text)
	if err != nil {
		return err
	}
	form := formOf(s, stamp)
	defer form.free()
	if err := form.verify(m.signing.mac, mac); err != nil {
		return err
	}
	return m.verifyTimes(s, stamp)
}

// verifyTimes checks what a stamp, which is genuine, says about time. A dead
// letter that is sent again may lack its ETA when that has passed.
func (m *Middleware) verifyTimes(s *tasks.Signature, stamp stamp) error {
	due, err := stamp.due()
	if err != nil {
		return ErrForged
	}
	if etaText(s.ETA) != stamp.eta && (s.ETA != nil || due.After(time.Now())) {
		return ErrForged
	}
	if m.signing.maxAge > 0 && time.Since(due) > m.signing.maxAge {
		return ErrExpired
	}
	return nil
}

// due is when the task was to run: when it was signed, or at its ETA.
func (s stamp) due() (time.Time, error) {
	seconds, err := strconv.ParseInt(s.signedAt, 10, 64)
	signedAt := time.Unix(seconds, 0)
	if err != nil || s.eta == "" {
		return signedAt, err
	}
	eta, err := time.Parse(time.RFC3339Nano, s.eta)
	if eta.Before(signedAt) {
		return signedAt, err
	}
	return eta, err
}

// refuse ends a task without a good signature. Its sender, if it has one, learns
// that by its FAILURE, as far as that can be told without helping a forger.
func (m *Middleware) refuse(s *tasks.Signature, reason error) {
	if m.mayFail(s) {
		// Without its group: on RabbitMQ this would count as an end of one of its members.
		m.setFailure(&tasks.Signature{UUID: s.UUID, Name: s.Name}, reason)
	}
	m.noteRefusal(s, reason)
}

func (m *Middleware) noteRefusal(s *tasks.Signature, reason error) {
	log.ERROR.Printf("envelope: refused task %q (%q): %v", s.Name, s.UUID, errors.Unwrap(reason))
	m.report(context.Background(), Observer.Failed, Observation{Task: s.Name, Err: reason})
	m.bury(s, reason)
}

func (m *Middleware) setFailure(s *tasks.Signature, reason error) {
	if m.server.GetBackend().SetStateFailure(s, reason.Error()) != nil {
		log.ERROR.Printf("envelope: could not set FAILURE of task %q (%q)", s.Name, s.UUID)
	}
}

// mayFail tells whether FAILURE may be set for a task that is refused. A forger
// may have given it the UUID of another task, or the name of any key in the
// result backend, such as that of a queue which is empty just now. So what is no
// state stays, and a state that a worker has set already. What nobody has begun
// is failed: it may be the task that was tampered with, and its sender waits.
func (m *Middleware) mayFail(s *tasks.Signature) bool {
	backend := m.server.GetBackend()
	if signed, ok := backend.(signedBackend); ok {
		backend = signed.Unwrap()
	}
	if _, ok := backend.(*amqpbackend.Backend); ok {
		return true // a state that is read there is gone
	}
	state, err := backend.GetState(s.UUID)
	if err == nil {
		return state.TaskUUID == s.UUID && state.State == tasks.StatePending
	}
	return isUUID(s.UUID) && !isForeign(err)
}

// isUUID tells whether a text is an identifier as Machinery makes them.
func isUUID(text string) bool {
	for _, prefix := range []string{"task_", "chord_"} {
		text = strings.TrimPrefix(text, prefix)
	}
	return uuid.Validate(text) == nil
}

// isForeign tells whether a backend found something that is no state.
func isForeign(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "WRONGTYPE")
}
