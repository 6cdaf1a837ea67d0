package inspect

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who stops an action that was just told to go on stops it, also before its first step.
func TestAnActionThatIsStoppedAsItBeginsDoesNothing(t *testing.T) {
	run := newBulkRun(t.Context(), "redis", action{name: dropAction}, keptFilter{}, nil)
	run.phase, run.counted = counted, Selection{Count: 1, ids: []string{"letter-1"}}
	run.carryOut = func(ctx context.Context, report func(Progress)) (Outcome, error) {
		return run.counted.act(ctx, report, func(context.Context, int) error { return nil })
	}
	require.True(t, run.begin())
	run.stop()
	a := auditor{logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	a.carry(run.ctx, run)
	assert.Equal(t, ended, run.phase)
	assert.Zero(t, run.outcome.Done)
	assert.ErrorIs(t, run.err, context.Canceled)
}
