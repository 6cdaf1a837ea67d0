package conformance_test

import (
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// unknownCases are about workers that are older than who sends to them.
var unknownCases = []testCase{
	{name: "a task of an unknown type is put off, then fails", run: func(t *testing.T, f *fixture) {
		putOffThenFails(t, f, `{"$envelope":1,"type":"shop.Novelty","data":{"Name":"x"}}`)
	}},
	{name: "a task of an unknown version is put off, then fails", run: func(t *testing.T, f *fixture) {
		putOffThenFails(t, f, `{"$envelope":1,"type":"shop.Line","version":2,"data":{}}`)
	}},
	{name: "a task that was put off runs when its type is known", run: putOffThenRuns},
}

// Novelty is a type that workers do not know at first.
type Novelty struct{ Name string }

// attemptLog notes what a worker's pre-task handler sees.
type attemptLog struct {
	mu       sync.Mutex
	attempts []any
	texts    []any
}

func (l *attemptLog) note(s *tasks.Signature) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts = append(l.attempts, s.Headers[middleware.UnknownHeader])
	l.texts = append(l.texts, s.Args[0].Value)
}

// seen returns the attempt counts and the first arguments that came.
func (l *attemptLog) seen() (attempts, texts []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempts, l.texts
}

func putOffThenFails(t *testing.T, shared *fixture, text string) {
	var log attemptLog
	dead := newGraveyard()
	f := newFixture(t, shared.transport, middleware.RetryUnknown(delay, 2), middleware.WithPreTask(log.note), middleware.WithDeadLetters(dead))
	name := f.register(t, func(any) error { return nil })
	res := f.sendPastTheMiddleware(t, textSignature(name, text))
	_, err := await[struct{}](t, f, res)
	require.ErrorContains(t, err, name)
	require.ErrorContains(t, err, "argument 1 (interface {})")
	dead.awaits(t, 1)
	attempts, texts := log.seen()
	assert.Equal(t, []any{nil, "1", "2"}, attempts)
	assert.Equal(t, []any{text, text, text}, texts)
}

func putOffThenRuns(t *testing.T, shared *fixture) {
	var f *fixture
	var log attemptLog
	learn := sync.OnceFunc(func() { envelope.MustRegister[Novelty](f.types, "shop.Novelty") })
	// The handler runs after the arguments were restored, or were not.
	f = newFixture(t, shared.transport, middleware.RetryUnknown(delay, 2), middleware.WithPreTask(func(s *tasks.Signature) {
		log.note(s)
		learn()
	}))
	name := f.register(t, func(v any) (string, error) { return v.(Novelty).Name, nil })
	res := f.sendPastTheMiddleware(t, textSignature(name, `{"$envelope":1,"type":"shop.Novelty","data":{"Name":"x"}}`))
	assert.Equal(t, "x", mustAwait[string](t, f, res))
	attempts, _ := log.seen()
	assert.Equal(t, []any{nil, "1"}, attempts)
}
