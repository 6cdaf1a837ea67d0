package main

var signing = section{
	title:     "Signing a task",
	benchmark: "Signing",
	runs:      []run{{cpu: "1"}},
	report:    reportSigning,
	bounds:    boundSigning,
}

const aboutSigning = `What middleware.SignTasks adds to a task of two arguments of 1 KB, from Publish to the end of the task,
the transport left out: signing it, and verifying it on the other side. HMAC-SHA256, as the standard library has it and as
a keyset of Tink does.

`

// signers are those that are measured, by the names of the sub-benchmarks.
var signers = []struct{ name, title string }{{"hmac", "crypto/hmac"}, {"tink", "Tink"}}

// signedBy is the measurement of one sub-benchmark.
func signedBy(signer, unit string) measurement {
	return measurement{"Signing/by=" + signer, "", 1, unit}
}

// signingAdds is what a signature costs.
func signingAdds(m *measurements, signer, unit string) float64 {
	return m.median(signedBy(signer, unit)) - m.median(signedBy("none", unit))
}

func reportSigning(m *measurements) string {
	rows := [][]string{{"unsigned", duration(m.median(signedBy("none", seconds))), "", ""}}
	for _, s := range signers {
		rows = append(rows, []string{s.title, duration(m.median(signedBy(s.name, seconds))),
			duration(signingAdds(m, s.name, seconds)), count(signingAdds(m, s.name, allocations))})
	}
	return aboutSigning + table([]string{"", "time", "added", "allocations added"}, rows)
}

func boundSigning(m *measurements) []bound {
	var bounds []bound
	for _, s := range signers {
		bounds = append(bounds, within(10e-6, signingAdds(m, s.name, seconds), duration,
			"a signature by "+s.title+" adds to a task with two arguments of 1 KB"))
	}
	return bounds
}
