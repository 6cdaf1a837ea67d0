package middleware

import (
	"errors"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// refusalMark begins the last line of the failure of a task that did not run, or whose results were not sent, for a
// reason of this project's. The names of the reasons follow.
const refusalMark = "\nenvelope-refused: "

// refusals are the reasons, by the names under which they travel.
var refusals = []struct {
	name   string
	reason error
}{
	{"unsigned", ErrUnsigned}, {"forged", ErrForged}, {"expired", ErrExpired},
	{"arguments", ErrArguments}, {"unreadable", ErrUnreadable}, {"panicked", ErrPanicked}, {"put-back", ErrPutBack},
	{"not-recorded", ErrNotRecorded},
	{"malformed", envelope.ErrMalformed}, {"type-mismatch", envelope.ErrTypeMismatch},
	{"unregistered", envelope.ErrUnregistered}, {"unsupported", envelope.ErrUnsupported},
	{"unknown-type", envelope.ErrUnknownType}, {"unknown-version", envelope.ErrUnknownVersion},
	{"unknown-codec", envelope.ErrUnknownCodec},
	{"limit", envelope.ErrLimit}, {"unencrypted", envelope.ErrUnencrypted}, {"undecryptable", envelope.ErrUndecryptable},
	{"missing-payload", envelope.ErrMissingPayload}, {"unavailable", envelope.ErrUnavailable},
}

// A refusedError is why a task has failed without having been run to its end, as Machinery writes it to the result
// backend.
type refusedError struct{ error }

// Error returns the text with the names of the reasons.
func (e *refusedError) Error() string { return refusalText(e.error) }

// Unwrap returns the error itself.
func (e *refusedError) Unwrap() error { return e.error }

// refusalText returns the text of an error with the names of its reasons in a last line. Without any, the line says
// that nothing before it is one, or an envelope; it is left out where nobody could think so.
func refusalText(err error) string {
	var names []string
	for _, r := range refusals {
		if errors.Is(err, r.reason) {
			names = append(names, r.name)
		}
	}
	text := err.Error()
	if len(names) == 0 && !mayBeMisread(text) {
		return text
	}
	return text + refusalMark + strings.Join(names, " ")
}

// mayBeMisread reports whether a failure's text could be taken for more than a text.
func mayBeMisread(text string) bool {
	return strings.Contains(text, failureMark) || strings.Contains(text, refusalMark) ||
		envelope.Is(text) || strings.HasPrefix(text, unreadablePrefix)
}

// readRefusal takes a failure's text apart, if it is that of a refusal. Only whole last lines count, and names that are
// known: whatever else a text says stays text.
func readRefusal(text string) (plain string, reason error, ok bool) {
	if strings.HasPrefix(text, unreadablePrefix) && strings.LastIndex(text, failureMark) < 0 {
		return text, unreadableReason(text), true
	}
	at := strings.LastIndexByte(text, '\n')
	if at < 0 || !strings.HasPrefix(text[at:], refusalMark) {
		return text, nil, false
	}
	return text[:at], reasonsOf(strings.Fields(text[at+len(refusalMark):])), true
}

// reasonsOf returns nil for no name that is known.
func reasonsOf(names []string) error {
	var reasons []error
	for _, name := range names {
		for _, r := range refusals {
			if r.name == name {
				reasons = append(reasons, r.reason)
			}
		}
	}
	return errors.Join(reasons...)
}

// unreadableReason is for Machinery's own text, which may quote the text of why an envelope cannot be opened.
func unreadableReason(text string) error {
	reasons := []error{ErrUnreadable}
	if cause, found := strings.CutPrefix(text, unreadablePrefix+": "+unopenedPrefix); found {
		for _, r := range refusals {
			if strings.Contains(cause, r.reason.Error()) {
				reasons = append(reasons, r.reason)
			}
		}
	}
	return errors.Join(reasons...)
}
