package conformance

import (
	"errors"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var periodicCases = []testCase{
	{name: "periodic tasks and workflows fire with what they were given", run: periodic},
}

const everySecond = "@every 1s"

// schedule is something periodic, with the arguments of all that runs when it fires.
type schedule struct {
	register func(*machinery.Server) error
	want     [][]any
	permits  permits
}

// execution is a task that has run.
type execution struct {
	uuid string
	args []any
}

// periodic has a fixture of its own: in eager mode tasks run on the scheduler's goroutine, and Machinery's eager
// backend has no locks where it reads. For the same reason a schedule fires only when the one before has run.
func periodic(t *testing.T, shared *fixture) {
	f := newIdleFixture(t, shared.transport)
	ran := make(chan execution, 16)
	// One at a time: some of Machinery's backends have a chord called back twice when two of its members end together.
	worker := f.worker.NewWorker("periodic", 1)
	worker.SetPostTaskHandler(func(s *tasks.Signature) { ran <- execution{s.UUID, middleware.Args(s)} })
	f.launch(t, f.workers, worker)

	schedules := f.schedules(t)
	for _, s := range schedules {
		server := machinery.NewServer(f.server.GetConfig(), f.server.GetBroker(), f.server.GetBackend(), s.permits)
		require.NoError(t, s.register(server))
		t.Cleanup(func() { close(s.permits.ended) })
	}
	seen := make(map[string]bool)
	for range 2 {
		for _, s := range schedules {
			s.permits.grant(t)
			var got [][]any
			for range s.want {
				task := receive(t, ran)
				assert.False(t, seen[task.uuid], "a UUID is used twice")
				seen[task.uuid] = true
				got = append(got, task.args)
			}
			assert.ElementsMatch(t, s.want, got)
		}
	}
}

// schedules are a task, a chain, a group and a chord.
func (f *fixture) schedules(t *testing.T) []schedule {
	at := time.Date(2026, 2, 28, 23, 59, 59, 999999999, time.FixedZone("", 5*60*60+45*60))
	name := f.register(t, func(Order, time.Time, ...Line) (Line, error) { return Line{SKU: "result"}, nil })
	signature := func(id string) *tasks.Signature {
		o := order()
		o.ID = id
		return f.signature(t, name, o, at)
	}
	args := func(id string, results ...any) []any {
		o := order()
		o.ID = id
		return append([]any{o, at}, results...)
	}
	result := Line{SKU: "result"}
	concurrency := f.sendConcurrency()
	return []schedule{
		{func(s *machinery.Server) error {
			return s.RegisterPeriodicTask(everySecond, "task", signature("task"))
		}, [][]any{args("task")}, newPermits()},
		{func(s *machinery.Server) error {
			return s.RegisterPeriodicChain(everySecond, "chain", signature("first"), signature("then"))
		}, [][]any{args("first"), args("then", result)}, newPermits()},
		{func(s *machinery.Server) error {
			return s.RegisterPeriodicGroup(everySecond, "group", concurrency, signature("a"), signature("b"))
		}, [][]any{args("a"), args("b")}, newPermits()},
		{func(s *machinery.Server) error {
			return s.RegisterPeriodicChord(everySecond, "chord", concurrency, signature("callback"), signature("c"), signature("d"))
		}, [][]any{args("c"), args("d"), args("callback", result, result)}, newPermits()},
	}
}

// permits is a lock by which the test decides when a schedule fires. Machinery's scheduler cannot be stopped; without
// the lock it does nothing.
type permits struct{ granted, ended chan struct{} }

func newPermits() permits { return permits{make(chan struct{}), make(chan struct{})} }

func (p permits) grant(t *testing.T) {
	select {
	case p.granted <- struct{}{}:
	case <-time.After(timeout):
		require.FailNow(t, "the schedule does not fire")
	}
}

func (p permits) Lock(string, int64) error {
	select {
	case <-p.granted:
		return nil
	case <-p.ended:
		return errors.New("the test has ended")
	}
}

func (p permits) LockWithRetries(key string, value int64) error { return p.Lock(key, value) }
