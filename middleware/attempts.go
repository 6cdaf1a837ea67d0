package middleware

import (
	"maps"
	"slices"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Headers that count, as strings, how often a task came back to the queue.
const (
	// AttemptsHeader counts how often a task was put back because it could not be started or finished: its state could
	// not be written, or it could not be republished. Brokers that are Redeliverers count what they deliver again in
	// their own way.
	AttemptsHeader = "envelope-attempts"
	// UnknownHeader counts how often a task was put off because the worker did not know one of its types, or a version
	// of it (see RetryUnknown).
	UnknownHeader = "envelope-unknown"
	// UnavailableHeader counts how often a task was put off because a payload store was down. It bounds nothing: each
	// pause is longer than the one before, up to a minute.
	UnavailableHeader = "envelope-unavailable"
)

// countHeaders are those that workers change on the way, and that no sender signs.
var countHeaders = []string{AttemptsHeader, UnknownHeader, UnavailableHeader}

// ForgetAttempts takes the counts off a signature that is to start anew, such as one that is replayed from the dead
// letters, and reports whether it had any.
func ForgetAttempts(s *tasks.Signature) bool {
	if !slices.ContainsFunc(countHeaders, func(header string) bool { return s.Headers[header] != nil }) {
		return false
	}
	s.Headers = maps.Clone(s.Headers)
	for _, header := range countHeaders {
		delete(s.Headers, header)
	}
	return true
}

// attempts reads a count, which a hostile sender may have set to anything.
func attempts(s *tasks.Signature, header string) int {
	text, _ := s.Headers[header].(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

func countAttempt(s *tasks.Signature, header string) {
	setHeader(s, header, strconv.Itoa(attempts(s, header)+1))
}
