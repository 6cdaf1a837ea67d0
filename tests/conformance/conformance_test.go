package conformance_test

import "testing"

// A testCase is one behaviour that every transport must show.
type testCase struct {
	name string
	run  func(t *testing.T, f *fixture)
}

func TestConformance(t *testing.T) {
	cases := append(append(append([]testCase{}, taskCases...), workflowCases...), failureCases...)
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			f := newFixture(t, tr)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, f) })
			}
		})
	}
}
