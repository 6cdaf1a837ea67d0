package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const chordSize = 6

func TestChordOutlastsTheExpiryOfResults(t *testing.T) {
	const expiry = 2 * time.Second
	t.Setenv(expiryVariable, "2")
	s := startServer(t)
	r := newRun(t, s)
	launchFleet(t, s, 2)
	result, _ := r.sendHeldChord()
	// Redis is the clock: what would have expired after the chord was sent is gone when this is.
	ctx := context.Background()
	require.NoError(t, r.client.Set(ctx, "clock", "", 2*expiry).Err())
	eventually(t, func() bool { return r.client.Exists(ctx, "clock").Val() == 0 }, func() string { return "time stands still" })
	n, err := r.release(result)
	require.NoError(t, err)
	require.Equal(t, chordSize, n)
	r.requireEffects(chordSize + 1)
}

func TestChordWhoseGroupIsGoneFailsAndSaysWhy(t *testing.T) {
	s := startServer(t)
	r := newRun(t, s)
	launchFleet(t, s, 2)
	result, group := r.sendHeldChord()
	require.NoError(t, r.client.Del(context.Background(), group).Err())
	_, err := r.release(result)
	require.ErrorContains(t, err, redisadapter.ErrGroupGone.Error())
	r.requireEffects(chordSize)
}

// sendHeldChord returns the UUID of the group too.
func (r *run) sendHeldChord() (result middleware.Result, group string) {
	r.t.Helper()
	ctx := context.Background()
	var members []*tasks.Signature
	for i := range chordSize {
		member, err := r.sender.Signature(ctx, holdTask, Step{Chain: i})
		require.NoError(r.t, err)
		members = append(members, member)
	}
	g, err := tasks.NewGroup(members...)
	require.NoError(r.t, err)
	callback, err := r.sender.Signature(ctx, joinTask)
	require.NoError(r.t, err)
	chord, err := tasks.NewChord(g, callback)
	require.NoError(r.t, err)
	result, err = r.sender.SendChord(ctx, chord, 0)
	require.NoError(r.t, err)
	return result, g.GroupUUID
}

func (r *run) release(result middleware.Result) (int, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	require.NoError(r.t, r.client.Set(ctx, releaseKey, "", 0).Err())
	return middleware.Await[int](ctx, r.sender, result)
}

// requireEffects waits until nothing is left to do: so many tasks have run then, and each once.
func (r *run) requireEffects(many int) {
	r.t.Helper()
	eventually(r.t, func() bool { return len(r.leftOver()) == 0 }, r.whereabouts)
	effects, err := r.client.HGetAll(context.Background(), effectsKey).Result()
	require.NoError(r.t, err)
	require.Len(r.t, effects, many)
	for effect, times := range effects {
		require.Equal(r.t, "1", times, effect)
	}
}
