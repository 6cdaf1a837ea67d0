package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var poisonCases = []testCase{
	{name: "poison among good messages stops nothing", run: poison},
}

// poison is published past the middleware, as all of it comes from elsewhere. One in twenty messages is poison.
func poison(t *testing.T, shared *fixture) {
	const good = 1000
	dead := newLetterLog()
	f := newFixture(t, shared.transport, middleware.WithDeadLetters(dead))
	done := newTally()
	name := f.register(t, func(line Line) error {
		done.add(line.SKU, line)
		return nil
	})
	var sent, poisoned []*tasks.Signature
	want := make(map[string][]any)
	for i := range good {
		if i%20 == 0 {
			poisoned = append(poisoned, poisonFor(name, i/20))
			sent = append(sent, poisoned[i/20])
		}
		line := Line{SKU: fmt.Sprint("sku-", i), Quantity: i}
		want[line.SKU] = []any{line}
		text := fmt.Sprintf(`{"$envelope":1,"type":"shop.Line","data":{"sku":%q,"quantity":%d,"price":0}}`, line.SKU, i)
		sent = append(sent, textSignature(name, text))
	}
	f.publishAll(t, sent)
	for _, s := range poisoned {
		_, err := await[struct{}](t, f, result.NewAsyncResult(s, f.server.GetBackend()))
		var failed *middleware.TaskError
		require.ErrorAs(t, err, &failed)
	}
	dead.awaits(t, len(poisoned))
	done.awaits(t, good)
	f.workerLives(t)
	assert.Equal(t, want, done.all(), "each good message is done once")
	assert.Len(t, dead.reasons(), len(poisoned))
}

// publishAll publishes past the middleware, from several goroutines, and returns when all are published.
func (f *fixture) publishAll(t *testing.T, signatures []*tasks.Signature) {
	waiting := make(chan *tasks.Signature, len(signatures))
	for _, s := range signatures {
		waiting <- s
	}
	close(waiting)
	var publishing sync.WaitGroup
	for range 8 {
		publishing.Go(func() {
			for s := range waiting {
				assert.NoError(t, f.publishPastTheMiddleware(t.Context(), s))
			}
		})
	}
	publishing.Wait()
}

// poisonFor makes by turns what Machinery cannot reflect and what the middleware cannot open.
func poisonFor(name string, i int) *tasks.Signature {
	if i%2 == 0 {
		return &tasks.Signature{Name: name, Args: []tasks.Arg{{Type: "nonsense", Value: i}}}
	}
	return textSignature(name, `{"$envelope":1,"type":"shop.Line","data":{"sku":`)
}

// tally keeps values by key.
type tally struct {
	mu     sync.Mutex
	values map[string][]any
}

func newTally() *tally { return &tally{values: make(map[string][]any)} }

func (c *tally) add(key string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[key] = append(c.values[key], value)
}

func (c *tally) all() map[string][]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.values)
}

// awaits waits until there are so many keys.
func (c *tally) awaits(t *testing.T, keys int) {
	require.Eventually(t, func() bool { return len(c.all()) >= keys }, 3*timeout, 10*time.Millisecond)
}

// letterLog is dead letters, by the UUID of the task.
type letterLog struct{ *tally }

func newLetterLog() letterLog { return letterLog{newTally()} }

func (g letterLog) Push(_ context.Context, s *tasks.Signature, reason error) error {
	g.add(s.UUID, reason)
	return nil
}

// reasons has more than one for a task that was pushed more than once.
func (g letterLog) reasons() []any { return slices.Concat(slices.Collect(maps.Values(g.all()))...) }
