package redis_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// clock is that of a server of ours, as far as it is off the right time.
type clock struct {
	t    *testing.T
	path string
}

// set has the clock jump.
func (c clock) set(off time.Duration) {
	c.t.Helper()
	next := c.path + ".next"
	require.NoError(c.t, os.WriteFile(next, fmt.Appendf(nil, "%+d", int(off.Seconds())), 0o600))
	require.NoError(c.t, os.Rename(next, c.path))
}

// startServerWithClock starts a server whose wall clock can be set while it runs.
func startServerWithClock(t *testing.T) (*server, clock) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		services.Missing(t, "no libfaketime: this test sets the clock of Redis")
	}
	c := clock{t, filepath.Join(t.TempDir(), "clock")}
	c.set(0)
	// jemalloc, which Redis is linked with, asks for the time before libfaketime can tell: libc's malloc comes before it.
	return startServerIn(t, "LD_PRELOAD="+found[0]+":libc.so.6", "FAKETIME_TIMESTAMP_FILE="+c.path,
		"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"), c
}

func TestClockOfRedisMayJumpByAnHour(t *testing.T) {
	for name, away := range map[string]time.Duration{"on and back": time.Hour, "back and on": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := startServerWithClock(t)
			r := &clockRun{run: newRun(t, s), fleet: launchFleet(t, s, 2)}
			for i, off := range []time.Duration{away, 0} {
				r.prepare(i)
				r.fleet.killOne()
				c.set(off)
				r.requireClock(off)
				r.goOn(i)
			}
			r.awaitAll()
			r.requireNoLetters()
			require.Equal(t, 2, r.fleet.died())
		})
	}
}

// clockRun is a run with tasks of which some are delayed, and come when the clock is right.
type clockRun struct {
	*run
	fleet   *fleet
	delayed []string // effects
}

const (
	// clockTasks is how many tasks of each kind there are at each jump: as many as two workers can hold.
	clockTasks = 2 * concurrency
	// afterJump is how soon by Redis' clock tasks are to come.
	afterJump = time.Second
)

// prepare leaves tasks with workers, among the delayed and among those that were put back.
func (r *clockRun) prepare(jump int) {
	r.t.Helper()
	ctx := context.Background()
	require.NoError(r.t, r.client.Del(ctx, releaseKey).Err())
	for i := range clockTasks {
		r.sendStep(holdTask, jump*1000+i, nil)
	}
	eventually(r.t, func() bool { return r.client.LLen(ctx, queue).Val() == 0 }, r.whereabouts)
	eta := time.Now().Add(afterJump)
	now, err := r.client.Time(ctx).Result()
	require.NoError(r.t, err)
	for i := range clockTasks {
		r.delayed = append(r.delayed, r.sendStep(stepTask, jump*1000+100+i, &eta))
		step := Step{Chain: jump*1000 + 200 + i}
		message := fmt.Sprintf(`{"Name":%q,"UUID":"put-back-%d","RoutingKey":%q,"Args":[{"Type":"string","Value":%q}]}`,
			stepTask, step.Chain, queue, fmt.Sprintf(`{"$envelope":1,"type":"faults.Step","data":{"Chain":%d,"Index":0}}`, step.Chain))
		score := float64(now.Add(afterJump).UnixMilli())
		require.NoError(r.t, r.client.ZAdd(ctx, "{"+queue+"}:deferred", &redis.Z{Score: score, Member: "label:" + message}).Err())
		r.sent[Step{Chain: step.Chain, Index: 1}.String()] = true
	}
}

// sendStep sends a task of its own, and returns its effect.
func (r *clockRun) sendStep(name string, chain int, eta *time.Time) (effect string) {
	r.t.Helper()
	ctx := context.Background()
	signature, err := r.sender.Signature(ctx, name, Step{Chain: chain})
	require.NoError(r.t, err)
	signature.ETA = eta
	_, err = r.sender.SendTask(ctx, signature)
	require.NoError(r.t, err)
	effect = Step{Chain: chain, Index: 1}.String()
	r.sent[effect] = true
	return effect
}

func (r *clockRun) requireClock(off time.Duration) {
	r.t.Helper()
	now, err := r.client.Time(context.Background()).Result()
	require.NoError(r.t, err)
	require.WithinDuration(r.t, time.Now().Add(off), now, timeout)
}

// goOn waits until all is done but what is delayed, and sends more meanwhile.
func (r *clockRun) goOn(jump int) {
	r.t.Helper()
	require.NoError(r.t, r.client.Set(context.Background(), releaseKey, "", 0).Err())
	eta := time.Now().Add(afterJump)
	for i := range clockTasks {
		r.send(jump*1000 + 300 + i)
		r.delayed = append(r.delayed, r.sendStep(stepTask, jump*1000+400+i, &eta))
	}
	eventually(r.t, func() bool {
		return !slices.ContainsFunc(r.missing(), func(effect string) bool { return !slices.Contains(r.delayed, effect) })
	}, r.whereabouts)
}
