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
	excess := 100 * float64(r.Tour.Length-r.Optimum) / float64(r.Optimum)
	return fmt.Sprintf("%.2f %% over the proven optimum of %d", excess, r.Optimum)
}
