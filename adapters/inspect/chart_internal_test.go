package inspect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sampled is a source that was asked every so often for an hour.
func sampled(every time.Duration, waiting, donePerMinute int) []sample {
	began := time.Unix(1.2e9, 0)
	var samples []sample
	for at := time.Duration(0); at <= time.Hour; at += every {
		samples = append(samples, sample{at: began.Add(at), waiting: waiting, done: 1 + int(at.Minutes()*float64(donePerMinute))})
	}
	return samples
}

func TestASourceThatIsLeftAloneKeepsItsPlaceInTheCharts(t *testing.T) {
	sources := [][]sample{sampled(sampleInterval, 10, 60), sampled(longestRest, 500, 120)}
	depth := sumDepth(sources)
	require.Len(t, depth, 121)
	for _, p := range depth {
		assert.InDelta(t, 510, p.value, 0, p.at)
	}
	for _, p := range sumThroughput(sources)[4:] { // it takes two samples
		assert.InDelta(t, 180, p.value, 3, p.at)
	}
}

func TestASourceThatIsGoneLeavesTheCharts(t *testing.T) {
	gone := sampled(sampleInterval, 500, 0)[:60]
	depth := sumDepth([][]sample{sampled(sampleInterval, 10, 0), gone})
	last := gone[59].at
	for _, p := range depth {
		want := 510.0
		if p.at.Sub(last) > longestAlone {
			want = 10
		}
		assert.InDelta(t, want, p.value, 0, p.at.Sub(last))
	}
}
