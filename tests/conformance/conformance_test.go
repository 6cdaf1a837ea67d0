package conformance_test

import (
	"slices"
	"testing"
)

// A testCase is one behaviour that every transport must show, but for those
// that lack what it is about.
type testCase struct {
	name  string
	run   func(t *testing.T, f *fixture)
	notIn map[string]string // transport → why not
}

// notEager leaves the eager transport out.
func notEager(why string) map[string]string { return map[string]string{"eager": why} }

// notSigned leaves the transports out that have the most options.
func notSigned(why string) map[string]string {
	return map[string]string{"embedded redis, signed": why, "rabbitmq, signed": why}
}

func TestConformance(t *testing.T) {
	cases := slices.Concat(taskCases, workflowCases, failureCases, signatureCases, sendingCases, callbackCases,
		typedCases, unknownCases, queueCases, poisonCases, shutdownCases, periodicCases, propagationCases)
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel() // they share nothing, and mostly wait
			f := newFixture(t, tr)
			for _, c := range cases {
				if c.notIn[tr.name] == "" {
					t.Run(c.name, func(t *testing.T) { c.run(t, f) })
				}
			}
		})
	}
}
