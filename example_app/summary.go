package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// Found is what a task has found, and how.
type Found struct {
	Tour     tsp.Tour      `json:"tour"`
	Strategy string        `json:"strategy"`
	Worker   string        `json:"worker"`
	Retries  int           `json:"retries"`
	Took     time.Duration `json:"took"`
}

// Summary is what a group of tasks has found.
type Summary struct {
	Best tsp.Tour `json:"best"`
	// Scores are those of the strategies, the best first.
	Scores []Score `json:"scores"`
	// Workers counts the tasks that each has run.
	Workers map[string]int `json:"workers"`
}

// Score adds up the tasks that followed one strategy.
type Score struct {
	Strategy string        `json:"strategy"`
	Tasks    int           `json:"tasks"`
	Retries  int           `json:"retries"`
	Best     int           `json:"best"`
	Lengths  int           `json:"lengths"`
	Took     time.Duration `json:"took"`
}

// Mean is the mean length of the tours.
func (s Score) Mean() float64 { return float64(s.Lengths) / float64(s.Tasks) }

// plus counts one more task.
func (s Score) plus(found Found) Score {
	length := found.Tour.Length
	if s.Tasks == 0 || length < s.Best {
		s.Best = length
	}
	s.Strategy = found.Strategy
	s.Tasks++
	s.Retries += found.Retries
	s.Lengths += length
	s.Took += found.Took
	return s
}

// newSummary sums up one tour or more. Their order, which is that of the workers' being ready, makes no difference.
func newSummary(all []Found) Summary {
	summary := Summary{Workers: make(map[string]int)}
	scores := make(map[string]Score)
	for _, found := range all {
		scores[found.Strategy] = scores[found.Strategy].plus(found)
		summary.Workers[found.Worker]++
	}
	for _, score := range scores {
		summary.Scores = append(summary.Scores, score)
	}
	slices.SortFunc(summary.Scores, func(a, b Score) int {
		return cmp.Or(cmp.Compare(a.Best, b.Best), cmp.Compare(a.Mean(), b.Mean()), cmp.Compare(a.Strategy, b.Strategy))
	})
	summary.Best = slices.MinFunc(all, func(a, b Found) int { return a.Tour.Compare(b.Tour) }).Tour
	return summary
}

// total adds up all scores.
func (s Summary) total() Score {
	total := Score{Best: s.Best.Length}
	for _, score := range s.Scores {
		total.Tasks += score.Tasks
		total.Retries += score.Retries
		total.Lengths += score.Lengths
		total.Took += score.Took
	}
	return total
}
