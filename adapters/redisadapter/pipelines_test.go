package redisadapter

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gate holds pipelines up, and counts the commands of each.
type gate struct {
	arrived chan int
	open    chan struct{}
	lose    error // instead of replies
}

func newGate() *gate { return &gate{arrived: make(chan int, 100), open: make(chan struct{}, 100)} }

func (g *gate) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (g *gate) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (g *gate) BeforeProcessPipeline(ctx context.Context, cmds []redis.Cmder) (context.Context, error) {
	g.arrived <- len(cmds)
	<-g.open
	return ctx, nil
}

func (g *gate) AfterProcessPipeline(context.Context, []redis.Cmder) error { return g.lose }

func gated(t *testing.T) (*pipelines, *gate, *miniredis.Miniredis) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	g := newGate()
	client.AddHook(g)
	return newPipelines(client), g, server
}

// gathered returns when so many calls wait.
func gathered(t *testing.T, p *pipelines, calls int) {
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.waiting) == calls
	}, time.Minute, time.Millisecond)
}

func increment(ctx context.Context, p *pipelines, key string) (int64, error) {
	var reply *redis.IntCmd
	if err := p.do(ctx, func(pipe redis.Pipeliner) { reply = pipe.Incr(ctx, key) }); err != nil {
		return 0, err
	}
	return reply.Result()
}

func startCalls(t *testing.T, p *pipelines, calling *sync.WaitGroup, many int) {
	startIncrements(t, p, calling, "n", many)
}

func startIncrements(t *testing.T, p *pipelines, calling *sync.WaitGroup, key string, many int) {
	for range many {
		calling.Go(func() {
			_, err := increment(context.Background(), p, key)
			assert.NoError(t, err)
		})
	}
}

func TestCallsGatherWhileAPipelineIsUnderWay(t *testing.T) {
	t.Parallel()
	p, g, _ := gated(t)
	var calling sync.WaitGroup
	startCalls(t, p, &calling, 1)
	require.Equal(t, 1, <-g.arrived)
	startCalls(t, p, &calling, minShared-1)
	gathered(t, p, minShared-1)
	g.open <- struct{}{}
	require.Equal(t, minShared-1, <-g.arrived)
	g.open <- struct{}{}
	calling.Wait()
	require.Zero(t, p.leading)
}

// Redis would wait otherwise while this process reads what it has answered, and the other way round.
func TestManyCallsDoNotWaitForThePipelineThatIsUnderWay(t *testing.T) {
	t.Parallel()
	p, g, _ := gated(t)
	var calling sync.WaitGroup
	startCalls(t, p, &calling, 1)
	require.Equal(t, 1, <-g.arrived)
	startCalls(t, p, &calling, minShared)
	require.Equal(t, minShared, <-g.arrived)
	startCalls(t, p, &calling, 2*minShared) // there are no more than two pipelines
	gathered(t, p, 2*minShared)
	require.Empty(t, g.arrived)
	close(g.open)
	calling.Wait()
	require.Zero(t, p.leading)
	n, err := increment(t.Context(), p, "n")
	require.NoError(t, err)
	require.EqualValues(t, 3*minShared+2, n)
}

func TestEachCallHasItsOwnError(t *testing.T) {
	t.Parallel()
	p, g, server := gated(t)
	require.NoError(t, server.Set("text", "no number"))
	errs := make(map[string]error)
	var mu sync.Mutex
	var calling sync.WaitGroup
	for _, key := range []string{"first", "a", "text", "b"} {
		calling.Go(func() {
			_, err := increment(context.Background(), p, key)
			mu.Lock()
			defer mu.Unlock()
			errs[key] = err
		})
		if key == "first" {
			<-g.arrived
		}
	}
	gathered(t, p, 3)
	close(g.open)
	calling.Wait()
	require.ErrorContains(t, errs["text"], "not an integer")
	delete(errs, "text")
	require.Equal(t, map[string]error{"first": nil, "a": nil, "b": nil}, errs)
}

func TestCallWhoseContextEndsDoesNotWait(t *testing.T) {
	t.Parallel()
	p, g, _ := gated(t)
	first := make(chan error, 1)
	go func() {
		_, err := increment(context.Background(), p, "n")
		first <- err
	}()
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := increment(ctx, p, "n")
		second <- err
	}()
	gathered(t, p, 1)
	cancel()
	require.ErrorIs(t, <-second, context.Canceled)
	close(g.open)
	require.NoError(t, <-first)
	n, err := increment(t.Context(), p, "n")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
}

// Nobody would lead the calls that come after it.
func TestCallThatIsToLeadDoesSoThoughItsContextEnds(t *testing.T) {
	t.Parallel()
	next := &call{turn: make(chan struct{})}
	p := &pipelines{leading: 1, waiting: []*call{next}}
	p.handOver()
	require.False(t, p.leave(next))
	waiting := new(call)
	p.waiting = []*call{waiting}
	require.True(t, p.leave(waiting))
	require.Empty(t, p.waiting)
}

// Those who sent with the one that does not wait any more would be told that they were canceled.
func TestCallWhoseContextEndsEndsNoOther(t *testing.T) {
	t.Parallel()
	p, g, _ := gated(t)
	leader, endLeader := context.WithCancel(t.Context())
	errs := make(map[string]error)
	var mu sync.Mutex
	var calling sync.WaitGroup
	call := func(ctx context.Context, name string) {
		calling.Go(func() {
			_, err := increment(ctx, p, "n")
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	call(t.Context(), "before")
	<-g.arrived
	call(leader, "leader")
	gathered(t, p, 1)
	call(t.Context(), "other")
	gathered(t, p, 2)
	g.open <- struct{}{}
	require.Equal(t, 2, <-g.arrived)
	endLeader()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return errs["leader"] != nil
	}, time.Minute, time.Millisecond)
	close(g.open)
	calling.Wait()
	require.ErrorIs(t, errs["leader"], context.Canceled)
	require.NoError(t, errs["before"])
	require.NoError(t, errs["other"])
}

func TestScriptThatRedisHasForgottenIsSentAgain(t *testing.T) {
	t.Parallel()
	p, g, _ := gated(t)
	close(g.open)
	for i := range 3 {
		script := redis.NewScript(fmt.Sprintf("return redis.call('INCRBY', KEYS[1], %d)", i))
		_, err := p.run(t.Context(), script, []string{"n"}).Int64()
		require.NoError(t, err)
	}
	n, err := increment(t.Context(), p, "n")
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
}

// What nobody waits for any more must not be sent later.
func TestPipelineEndsWithTheContextsOfAllItsCalls(t *testing.T) {
	t.Parallel()
	first, endFirst := context.WithCancel(t.Context())
	second, endSecond := context.WithCancel(t.Context())
	ctx, cancel := contextOf([]*call{{ctx: first}, {ctx: second}})
	defer cancel()
	endFirst()
	require.NoError(t, ctx.Err())
	endSecond()
	<-ctx.Done()
	ctx, cancel = contextOf([]*call{{ctx: first}, {ctx: context.Background()}})
	defer cancel()
	require.Nil(t, ctx.Done())
	ctx, cancel = contextOf([]*call{{ctx: first}})
	defer cancel()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestSecondPipelineIsTheLastWhereFewCallsWait(t *testing.T) {
	t.Parallel()
	next := &call{turn: make(chan struct{})}
	p := &pipelines{leading: maxUnderWay, waiting: []*call{next}}
	p.handOver()
	require.Equal(t, 1, p.leading)
	require.False(t, next.leads)
	p.handOver() // of the first
	require.Equal(t, 1, p.leading)
	require.True(t, next.leads)
}
