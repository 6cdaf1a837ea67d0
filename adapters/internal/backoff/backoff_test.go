package backoff_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

func TestPausesDoubleFromTheFirstToTheLast(t *testing.T) {
	p := backoff.Policy{First: time.Second, Last: 5 * time.Second}

	var pauses []time.Duration
	for failures := range 6 {
		pauses = append(pauses, p.Pause(failures))
	}

	assert.Equal(t, []time.Duration{time.Second, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}, pauses)
}

func TestPausesAreNeverOutOfTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, math.MaxInt64/2).Draw(t, "first"))
		last := time.Duration(rapid.Int64Range(int64(first), math.MaxInt64/2).Draw(t, "last"))
		failures := rapid.IntRange(0, math.MaxInt32).Draw(t, "failures")

		pause := backoff.Policy{First: first, Last: last}.Pause(failures)
		varied := backoff.Policy{First: first, Last: last, Jitter: true}.Pause(failures)

		assert.GreaterOrEqual(t, pause, first)
		assert.LessOrEqual(t, pause, last)
		assert.GreaterOrEqual(t, varied, pause/2)
		assert.LessOrEqual(t, varied, pause/2+pause)
	})
}

func TestCheckRefusesWhatCannotBeMeant(t *testing.T) {
	assert.NoError(t, backoff.Policy{First: time.Second, Last: time.Second}.Check())
	assert.ErrorContains(t, backoff.Policy{Last: time.Second}.Check(), "first pause")
	assert.ErrorContains(t, backoff.Policy{First: -time.Second, Last: time.Second}.Check(), "first pause")
	assert.ErrorContains(t, backoff.Policy{First: 2 * time.Second, Last: time.Second}.Check(), "last pause")
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		assert.True(t, backoff.Sleep(t.Context(), time.Minute))
		assert.Equal(t, time.Minute, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.False(t, backoff.Sleep(ctx, time.Hour))
		assert.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}
