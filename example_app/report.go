package main

import "fmt"

// Report is what there is to say about the best tour.
type Report struct {
	Tour    Tour `json:"tour"`
	Optimum int  `json:"optimum,omitempty"`
}

// Verdict compares the tour with the optimum.
func (r Report) Verdict() string {
	if r.Optimum == 0 {
		return "the optimum is not known"
	}
	if r.Tour.Length == r.Optimum {
		return "the proven optimum"
	}
	return fmt.Sprintf("%.2f %% over the proven optimum of %d", r.Excess(), r.Optimum)
}

// Excess is how much longer the tour is than the optimum, in percent.
func (r Report) Excess() float64 {
	return 100 * float64(r.Tour.Length-r.Optimum) / float64(r.Optimum)
}
