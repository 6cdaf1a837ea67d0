package amqpadapter

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeadlinesEndNoCallBeforeItsTimeoutAndNoneMuchLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deadlines := deadlines{timeout: 16 * time.Second}
		for range 100 {
			begun := time.Now()
			ctx, cancel := deadlines.bound(context.Background())
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.WithinRange(t, deadline, begun.Add(16*time.Second), begun.Add(17*time.Second))
			again, _ := deadlines.bound(context.Background())
			require.True(t, ctx == again, "calls that begin at the same time share one")
			cancel()
			require.NoError(t, ctx.Err(), "others may share it")
			time.Sleep(300 * time.Millisecond) // of the bubble's clock
		}
		ctx, cancel := deadlines.bound(context.Background())
		defer cancel()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
		synctest.Wait()
	})
}

func TestDeadlinesEndACallWithItsContext(t *testing.T) {
	t.Parallel()
	deadlines := deadlines{timeout: time.Hour}
	parent, end := context.WithCancel(t.Context())
	ctx, cancel := deadlines.bound(parent)
	defer cancel()
	end()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestDeadlinesMayBeOutOfReach(t *testing.T) {
	t.Parallel()
	deadlines := deadlines{timeout: math.MaxInt64}
	ctx, cancel := deadlines.bound(context.Background())
	defer cancel()
	require.NoError(t, ctx.Err())
}
