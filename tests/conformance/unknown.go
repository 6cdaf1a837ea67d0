package conformance

import (
	"sync"
	"testing"
	"time"

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

// attempt is what a worker's pre-task handler sees of a task.
type attempt struct {
	count any // of UnknownHeader
	text  any // the first argument
	eta   *time.Time
	at    time.Time
}

// attemptLog keeps the attempts that a worker makes.
type attemptLog struct {
	mu       sync.Mutex
	attempts []attempt
}

func (l *attemptLog) note(s *tasks.Signature) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts = append(l.attempts, attempt{s.Headers[middleware.UnknownHeader], s.Args[0].Value, s.ETA, time.Now()})
}

// assertPutOff asserts that the first attempts were made with the same text, each but the first as long after the one
// before as tasks are put off.
func (l *attemptLog) assertPutOff(t *testing.T, f *fixture, text string, counts ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Len(t, l.attempts, len(counts))
	for i, a := range l.attempts {
		assert.Equal(t, counts[i], a.count)
		assert.Equal(t, text, a.text)
		if i == 0 {
			continue
		}
		require.NotNil(t, a.eta, "attempt %d was not put off", i+1)
		assert.False(t, a.eta.Before(l.attempts[i-1].at.Add(delay)), "attempt %d was put off for less than %v", i+1, delay)
		if !f.isEager() { // where a task runs when it is sent; Machinery's AMQP broker cuts delays to whole milliseconds
			assert.False(t, a.at.Before(a.eta.Add(-time.Millisecond)), "attempt %d came before its ETA", i+1)
		}
	}
}

func putOffThenFails(t *testing.T, shared *fixture, text string) {
	var log attemptLog
	dead := newLetterLog()
	f := newIdleFixture(t, shared.transport, middleware.RetryUnknown(delay, 2), middleware.WithDeadLetters(dead))
	f.launchWith(t, log.note)
	name := f.register(t, func(any) error { return nil })
	res := f.sendPastTheMiddleware(t, textSignature(name, text))
	_, err := await[struct{}](t, f, res)
	require.ErrorContains(t, err, name)
	require.ErrorContains(t, err, "argument 1 (interface {})")
	dead.awaits(t, 1)
	log.assertPutOff(t, f, text, nil, "1", "2")
}

func putOffThenRuns(t *testing.T, shared *fixture) {
	var log attemptLog
	f := newIdleFixture(t, shared.transport, middleware.RetryUnknown(delay, 2))
	learn := sync.OnceFunc(func() { envelope.MustRegister[Novelty](f.types, "shop.Novelty") })
	f.launchWith(t, func(s *tasks.Signature) {
		log.note(s)
		middleware.Args(s) // at first they cannot be restored
		learn()
	})
	name := f.register(t, func(v any) (string, error) { return v.(Novelty).Name, nil })
	const text = `{"$envelope":1,"type":"shop.Novelty","data":{"Name":"x"}}`
	res := f.sendPastTheMiddleware(t, textSignature(name, text))
	assert.Equal(t, "x", mustAwait[string](t, f, res))
	log.assertPutOff(t, f, text, nil, "1")
}
