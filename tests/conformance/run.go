package conformance

import (
	"slices"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A Transport makes Machinery servers that meet in one place.
type Transport struct {
	// Name is that of the tests of the transport.
	Name string
	// Open finds the service, or skips, and returns a function that makes servers on it. The configuration has a queue
	// of its own: see CustomQueue and DelayedQueue for those that go with it.
	Open func(t *testing.T, cnf *config.Config) func() *machinery.Server
	// Options are added to those of each case.
	Options []middleware.Option
	// OneAtATime runs the cases one after another.
	OneAtATime bool
	// ChordOrder is the order in which a callback gets the results of members a, b and c, which end in the order c, a,
	// b.
	ChordOrder []string
	// Excluded are the cases that are about what the transport cannot do: name → what it lacks.
	Excluded map[string]string
}

// CustomQueue names a second queue for the workers of a configuration.
func CustomQueue(cnf *config.Config) string { return cnf.DefaultQueue + "-custom" }

// DelayedQueue names a queue for the delayed tasks of a configuration.
func DelayedQueue(cnf *config.Config) string { return cnf.DefaultQueue + "-delayed" }

// A testCase is one behaviour that every transport must show, but for those that lack what it is about.
type testCase struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// Run runs all cases over a transport, as subtests of its name that run beside those of others.
func Run(t *testing.T, tr Transport) {
	cases := slices.Concat(taskCases, valueCases, workflowCases, failureCases, signatureCases, sendingCases, callbackCases,
		typedCases, unknownCases, queueCases, poisonCases, shutdownCases, periodicCases, propagationCases)
	for name := range tr.Excluded {
		require.True(t, slices.ContainsFunc(cases, func(c testCase) bool { return c.name == name }), "no case is named %q", name)
	}
	t.Run(tr.Name, func(t *testing.T) {
		t.Parallel() // they share nothing, and mostly wait
		f := newFixture(t, tr)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if lacking, excluded := tr.Excluded[c.name]; excluded {
					services.Excluded(t, tr.Name, lacking)
				}
				if !tr.OneAtATime {
					t.Parallel()
				}
				c.run(t, f)
			})
		}
	})
}
