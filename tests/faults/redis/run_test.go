package redis_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// timeout bounds every wait for something that has to happen, on a machine that has much else to do.
	timeout = 150 * time.Second
	tick    = 20 * time.Millisecond

	// stepsPerChain is how many tasks follow each other in a chain.
	stepsPerChain = 2
)

func eventually(t *testing.T, condition func() bool, complaint func() string) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			require.Fail(t, "it did not happen", complaint())
		}
		time.Sleep(tick)
	}
}

// run is a number of chains on their way.
type run struct {
	t      *testing.T
	server *server
	client *redis.Client
	sender *middleware.Middleware
	sent   map[string]bool // the effects that are to come
	// route says where the tasks of a chain go.
	route func(chain int, s *tasks.Signature)
}

func newRun(t *testing.T, s *server) *run {
	t.Helper()
	client := s.dial()
	sender, err := newMiddleware(client, s.backendServer().dial())
	require.NoError(t, err)
	r := runOf(t, client, sender)
	r.server = s
	return r
}

func runOf(t *testing.T, client *redis.Client, sender *middleware.Middleware) *run {
	return &run{t: t, client: client, sender: sender, sent: make(map[string]bool), route: func(int, *tasks.Signature) {}}
}

// send sends a chain, again and again until its arrival is confirmed.
func (r *run) send(chain int) {
	r.t.Helper()
	ctx := context.Background()
	signatures := []*tasks.Signature{r.newStep(chain)}
	for len(signatures) < stepsPerChain {
		signature, err := r.sender.Signature(ctx, stepTask)
		require.NoError(r.t, err)
		signatures = append(signatures, signature)
	}
	for _, signature := range signatures {
		r.route(chain, signature)
	}
	eventually(r.t, func() bool {
		c, err := tasks.NewChain(signatures...)
		require.NoError(r.t, err)
		_, err = r.sender.SendChain(ctx, c)
		return err == nil
	}, func() string { return fmt.Sprintf("chain %d was not taken", chain) })
	for i := range stepsPerChain {
		r.sent[Step{Chain: chain, Index: i + 1}.String()] = true
	}
}

// newStep returns the first task of a chain.
func (r *run) newStep(chain int) *tasks.Signature {
	r.t.Helper()
	signature, err := r.sender.Signature(context.Background(), stepTask, Step{Chain: chain})
	require.NoError(r.t, err)
	return signature
}

func (r *run) done() int {
	n, err := r.client.HLen(context.Background(), effectsKey).Result()
	if err != nil {
		return 0
	}
	return int(n)
}

// awaitDone waits until so many effects are there.
func (r *run) awaitDone(many int) {
	r.t.Helper()
	eventually(r.t, func() bool { return r.done() >= many }, func() string {
		return fmt.Sprintf("%d of %d tasks are done; %s", r.done(), many, r.whereabouts())
	})
}

// awaitAll waits for every task that was sent, and for the queue to have nothing left; then it counts.
func (r *run) awaitAll() {
	r.t.Helper()
	r.awaitDone(len(r.sent))
	eventually(r.t, func() bool { return len(r.leftOver()) == 0 }, r.whereabouts)
	effects, err := r.client.HGetAll(context.Background(), effectsKey).Result()
	require.NoError(r.t, err)
	duplicates := 0
	for effect, times := range maps.All(effects) {
		n, err := strconv.Atoi(times)
		require.NoError(r.t, err)
		require.True(r.t, r.sent[effect], "%s was never sent", effect)
		duplicates += n - 1
	}
	require.Len(r.t, effects, len(r.sent), "tasks are lost")
	r.t.Logf("%d tasks: none lost, %d run twice", len(r.sent), duplicates)
}

// leftOver returns the keys in which tasks wait or run.
func (r *run) leftOver() []string {
	keys, err := r.client.Keys(context.Background(), "*"+queue+"*").Result()
	if err != nil {
		return []string{err.Error()}
	}
	var busy []string
	for _, key := range keys {
		// Those of a shard have the name of its queue, and reports of workers end in their names.
		_, kind, _ := strings.Cut(key, "}:")
		kind, _, _ = strings.Cut(strings.TrimPrefix(kind, queue+":"), ":")
		if !slices.Contains([]string{"consumers", "deliveries", "done", "priorities", "queues", "worker"}, kind) {
			busy = append(busy, key)
		}
	}
	return busy
}

// whereabouts says where tasks are that are not done: in keys of the queue, and in the dead letters for what reasons.
func (r *run) whereabouts() string {
	said := fmt.Sprintf("%d are missing; tasks are in %v", len(r.missing()), r.leftOver())
	for letter, err := range redisadapter.NewDeadLetters(r.client, deadLettersKey).All(context.Background()) {
		if err != nil {
			return fmt.Sprintf("%s; the dead letters cannot be read: %v", said, err)
		}
		said += fmt.Sprintf("\nin the dead letters: %s: %s", letter.UUID, letter.Reason)
	}
	return said
}

func (r *run) hasEffect(effect string) bool {
	return r.client.HExists(context.Background(), effectsKey, effect).Val()
}

// missing returns the effects that have not come yet.
func (r *run) missing() []string {
	effects, err := r.client.HGetAll(context.Background(), effectsKey).Result()
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	for effect := range r.sent {
		if _, come := effects[effect]; !come {
			missing = append(missing, effect)
		}
	}
	return missing
}
