package redisadapter

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAlarmsRingAtTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var rung []time.Duration
		all, set := new(alarms), make(map[int]*alarm)
		for _, ms := range []int{30, 10, 50, 20, 40} { // a sooner one comes after a later one
			set[ms] = new(alarm)
			all.set(set[ms], time.Duration(ms)*time.Millisecond, func() {
				mu.Lock()
				defer mu.Unlock()
				rung = append(rung, time.Since(began).Truncate(time.Millisecond))
			})
		}
		set[10].stop()
		set[40].stop()
		all.set(set[20], 45*time.Millisecond, set[20].ring)
		time.Sleep(time.Hour) // of the clock of the test
		synctest.Wait()
		require.Equal(t, []time.Duration{30 * time.Millisecond, 45 * time.Millisecond, 50 * time.Millisecond}, rung)
		set[30].stop()
		require.Empty(t, all.pending)
	})
}

// A sender sets an alarm and stops it, all the time.
func TestStoppedAlarmsAreNotKept(t *testing.T) {
	t.Parallel()
	all := new(alarms)
	for range 1000 {
		a := new(alarm)
		all.set(a, time.Hour, func() {})
		a.stop()
	}
	require.Empty(t, all.pending)
	require.False(t, all.rings.IsZero(), "one timer is left for all")
	all.timer.Stop()
}
