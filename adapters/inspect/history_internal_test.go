package inspect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A handler that runs for months needs no more memory than in its second hour.
func TestHistoryForgetsWhatIsOlderThanAnHour(t *testing.T) {
	var h history
	began := time.Unix(1e9, 0)
	for i := range 3 * 360 {
		h.add(sample{at: began.Add(time.Duration(i) * 10 * time.Second), waiting: i})
	}
	kept := h.since(time.Time{})
	require.Len(t, kept, 360)
	assert.Equal(t, 3*360-1, kept[359].waiting)
	assert.Equal(t, time.Hour-10*time.Second, kept[359].at.Sub(kept[0].at))
	assert.LessOrEqual(t, cap(h.samples), 2*360)
}
