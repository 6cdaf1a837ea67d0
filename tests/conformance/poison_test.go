package conformance_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var poisonCases = []testCase{
	{name: "poison among good messages stops nothing", run: poison, notIn: notEager("the sender gets the error")},
}

// poison is published past the middleware, as all of it comes from elsewhere.
// One in twenty messages is poison.
func poison(t *testing.T, shared *fixture) {
	const good = 1000
	dead := newGraveyard()
	f := newFixture(t, shared.transport, middleware.WithDeadLetters(dead))
	done := newTally()
	name := f.register(t, func(line Line) error {
		done.add(line.SKU, line)
		return nil
	})
	var poisoned []middleware.Result
	want := make(map[string][]any)
	for i := range good {
		if i%20 == 0 {
			poisoned = append(poisoned, f.sendPastTheMiddleware(t, poisonFor(name, i/20)))
		}
		line := Line{SKU: fmt.Sprint("sku-", i), Quantity: i}
		want[line.SKU] = []any{line}
		text := fmt.Sprintf(`{"$envelope":1,"type":"shop.Line","data":{"sku":%q,"quantity":%d,"price":0}}`, line.SKU, i)
		f.sendPastTheMiddleware(t, textSignature(name, text))
	}
	for _, res := range poisoned {
		_, err := await[struct{}](t, f, res)
		var failed *middleware.TaskError
		require.ErrorAs(t, err, &failed)
	}
	dead.awaits(t, len(poisoned))
	done.awaits(t, good)
	f.workerLives(t)
	assert.Equal(t, want, done.all(), "each good message is done once")
	assert.Len(t, dead.reasons(), len(poisoned))
}

// poisonFor makes by turns what Machinery cannot reflect and what the middleware
// cannot open.
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
	require.Eventually(t, func() bool { return len(c.all()) >= keys }, 3*patience, 10*time.Millisecond)
}

// graveyard is dead letters, by the UUID of the task.
type graveyard struct{ *tally }

func newGraveyard() graveyard { return graveyard{newTally()} }

func (g graveyard) Push(_ context.Context, s *tasks.Signature, reason error) error {
	g.add(s.UUID, reason)
	return nil
}

// reasons has more than one for a task that was pushed more than once.
func (g graveyard) reasons() []any { return slices.Concat(slices.Collect(maps.Values(g.all()))...) }
