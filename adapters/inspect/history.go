package inspect

import "time"

const (
	sampleInterval = 10 * time.Second
	maxSamples     = int(time.Hour / sampleInterval)
)

// A sample is how much was in the queues of a source at a time.
type sample struct {
	at time.Time
	// waiting are the tasks that wait to be taken, and done those that were counted as done; Unknown where no queue tells.
	waiting, done int
}

func sampleOf(s snapshot) sample {
	taken := sample{at: s.at, waiting: Unknown, done: Unknown}
	for _, q := range s.queues {
		taken.waiting = plus(taken.waiting, q.Waiting)
		taken.done = plus(taken.done, q.Done)
	}
	return taken
}

// plus adds counts of which each may be Unknown.
func plus(a, b int) int {
	switch {
	case a < 0:
		return b
	case b < 0:
		return a
	}
	return a + b
}

// A history has the samples of the last hour, oldest first.
type history struct{ samples []sample }

// add keeps a sample where the last is old enough.
func (h *history) add(s sample) {
	// A source is asked a little later than it should be, never earlier.
	const tolerance = sampleInterval / 10
	if n := len(h.samples); n > 0 && s.at.Sub(h.samples[n-1].at) < sampleInterval-tolerance {
		return
	}
	if len(h.samples) >= maxSamples {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, s)
}

// since returns the samples that were taken after a time.
func (h *history) since(start time.Time) []sample {
	for i, s := range h.samples {
		if s.at.After(start) {
			return append([]sample(nil), h.samples[i:]...)
		}
	}
	return nil
}
