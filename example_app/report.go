package main

// Report is what there is to say about the best tour, after a look whether it is one.
type Report struct {
	Summary Summary `json:"summary"`
	Verdict string  `json:"verdict"`
}
