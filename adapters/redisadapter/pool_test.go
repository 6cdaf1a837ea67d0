package redisadapter

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPoolHasNoMoreGoroutinesThanItEverNeededAtOnce(t *testing.T) {
	t.Parallel()
	var p pool
	var ran atomic.Int32
	for range 100 {
		var running sync.WaitGroup
		for range 4 {
			running.Add(1)
			p.run(func() { ran.Add(1); running.Done() })
		}
		running.Wait()
		require.Eventually(t, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.idle) <= 4 && len(p.idle) > 0
		}, time.Minute, time.Millisecond)
	}
	p.close()
	require.EqualValues(t, 400, ran.Load())
	require.Empty(t, p.idle)
}

func TestPoolOutlivesAFunctionThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	var p pool
	ran := make(chan int, 2)
	p.run(func() { ran <- 1; runtime.Goexit() })
	p.run(func() { ran <- 2 })
	require.ElementsMatch(t, []int{1, 2}, []int{<-ran, <-ran})
	p.close()
}

func TestClosedPoolHasRunAll(t *testing.T) {
	t.Parallel()
	var p pool
	var ran atomic.Int32
	for range 10 {
		p.run(func() { ran.Add(1) })
	}
	p.close()
	require.EqualValues(t, 10, ran.Load())
}
