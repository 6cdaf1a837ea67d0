package adaptertest

import (
	"cmp"
	"testing"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// Run runs the contract of a broker and of its dead letters on every server of an adapter, at the same time.
func Run(t *testing.T, adapter Adapter) {
	for _, server := range adapter.Servers {
		t.Run(server.Name+"/LeavesNoGoroutine", func(t *testing.T) { leavesNoGoroutine(t, adapter, server) })
	}
	for _, server := range adapter.Servers {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			for _, group := range contract {
				for _, clause := range group {
					t.Run(clause.name, func(t *testing.T) {
						t.Parallel()
						if reason := cmp.Or(adapter.Exceptions[clause.name], server.Exceptions[clause.name]); reason != "" {
							t.Skip(reason)
						}
						clause.test(t, newFixture(t, adapter, server))
					})
				}
			}
		})
	}
}

// contract has all clauses, in groups that have a file each.
var contract = [][]clause{
	publishClauses, stopClauses, consumeClauses, processClauses, attemptClauses, unknownClauses, outageClauses,
	optionClauses, logClauses, quitClauses, inspectClauses, storeClauses, replayClauses, hostileClauses, limitClauses,
	sourceClauses, sourceWorkerClauses, sourceActionClauses, sourceResultClauses,
}

// A clause is one sentence of the contract.
type clause struct {
	name string
	test func(t *testing.T, f *fixture)
}

// A fixture is what a clause is tested on.
type fixture struct {
	Site
	Adapter
	log *Log
}

func newFixture(t *testing.T, adapter Adapter, server Server) *fixture {
	return &fixture{Site: server.New(t), Adapter: adapter, log: &Log{}}
}

// broker returns a broker that knows the task "add" and logs to the fixture's log.
func (f *fixture) broker(t *testing.T, o Options) brokersiface.Broker {
	t.Helper()
	if o.Logger == nil {
		o.Logger = f.log.Logger()
	}
	broker := f.NewBroker(t, o)
	broker.SetRegisteredTaskNames([]string{"add"})
	return broker
}

func (f *fixture) queue() string  { return f.Config().DefaultQueue }
func (f *fixture) custom() string { return CustomQueue(f.Config()) }

// awaitLetters waits until there are exactly so many dead letters.
func awaitLetters(t *testing.T, store deadletter.Store, many int) []deadletter.Letter {
	t.Helper()
	Eventually(t, func() bool { return count(t, store) >= many })
	letters := all(t, store)
	require.Len(t, letters, many)
	return letters
}

func count(t *testing.T, store deadletter.Store) int {
	t.Helper()
	n, err := store.Count(t.Context())
	require.NoError(t, err)
	return n
}

func all(t *testing.T, store deadletter.Store) []deadletter.Letter {
	t.Helper()
	var letters []deadletter.Letter
	for letter, err := range store.All(t.Context()) {
		require.NoError(t, err)
		letters = append(letters, letter)
	}
	return letters
}

// leavesNoGoroutine is no clause, because others that run meanwhile have goroutines too.
func leavesNoGoroutine(t *testing.T, adapter Adapter, server Server) {
	before := goleak.IgnoreCurrent()
	t.Run("while", func(t *testing.T) {
		f := newFixture(t, adapter, server)
		broker := f.broker(t, Options{})
		var seen Journal
		ended := Work(t, broker, 2, &Processor{Func: seen.Add})
		custom := Work(t, broker, 0, &Processor{Func: seen.Add, Queue: f.custom()})
		Publish(t, broker, Task("add", "a"), Routed(f.custom(), "b"), Delayed("c", tick))
		seen.Await(t, "a", "b", "c")
		broker.StopConsuming()
		Await(t, ended)
		Await(t, custom)
	})
	goleak.VerifyNone(t, append(notOurs(), before)...)
}
