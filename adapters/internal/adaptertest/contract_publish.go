package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var publishClauses = []clause{
	{"PublishedTaskArrivesUnaltered", publishedTaskArrivesUnaltered},
	{"PublishFillsAnEmptyRoutingKeyOnly", publishFillsAnEmptyRoutingKeyOnly},
	{"TaskWhoseETAHasComeRunsAtOnce", taskWhoseETAHasComeRunsAtOnce},
	{"TaskWhoseETALiesAheadWaits", taskWhoseETALiesAheadWaits},
	{"DelayedTaskGoesToItsOwnQueueNotBeforeItsETA", delayedTaskGoesToItsOwnQueueNotBeforeItsETA},
	{"PublishHeedsItsContext", publishHeedsItsContext},
	{"PublishReportsWhatCannotBeEncodedAndNamesTheTask", publishReportsWhatCannotBeEncoded},
	{"EachOfManyPublishedAtOnceRunsOnce", eachOfManyPublishedAtOnceRunsOnce},
}

func publishedTaskArrivesUnaltered(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	Start(t, broker, seen.Add)
	sent := Task("add", "a", tasks.Arg{Name: "n", Type: "uint64", Value: uint64(math.MaxUint64)})
	sent.Headers = tasks.Headers{"trace": "1"}
	sent.Priority = 3
	sent.RetryCount = 7
	Publish(t, broker, sent)

	seen.Await(t, "a")
	got := seen.Tasks()[0]
	assert.Equal(t, f.RoutingKey(), got.RoutingKey)
	assert.Equal(t, sent.Headers, got.Headers)
	assert.Equal(t, uint8(3), got.Priority)
	assert.Equal(t, 7, got.RetryCount)
	assert.Equal(t, []tasks.Arg{{Name: "n", Type: "uint64", Value: json.Number("18446744073709551615")}}, got.Args)
}

func publishFillsAnEmptyRoutingKeyOnly(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	plain, routed := Task("add", "a"), Routed(f.custom(), "b")
	Publish(t, broker, plain, routed)

	assert.Equal(t, f.RoutingKey(), plain.RoutingKey)
	assert.Equal(t, f.custom(), routed.RoutingKey)
	assert.Equal(t, 1, f.Waiting(t, f.queue()))
	assert.Equal(t, 1, f.Waiting(t, f.custom()))
}

func taskWhoseETAHasComeRunsAtOnce(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	zero := Task("add", "zero")
	zero.ETA = &time.Time{}
	Publish(t, broker, Delayed("now", 0), Delayed("past", -time.Hour), zero)
	assert.Equal(t, 3, f.Waiting(t, f.queue()))
	var seen Journal
	Start(t, broker, seen.Add)
	seen.AwaitInOrder(t, "now", "past", "zero")
}

func taskWhoseETALiesAheadWaits(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	Start(t, broker, seen.Add)
	Publish(t, broker, Delayed("hour", time.Hour), Delayed("decades", 30*365*24*time.Hour), Task("add", "a"))
	seen.Await(t, "a")
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func delayedTaskGoesToItsOwnQueueNotBeforeItsETA(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	early := make(chan time.Duration, 10)
	var seen, custom Journal
	punctual := func(then *Journal) func(*tasks.Signature) error {
		return func(s *tasks.Signature) error {
			if left := time.Until(*s.ETA); left > 0 {
				early <- left
			}
			return then.Add(s)
		}
	}
	Start(t, broker, punctual(&seen))
	Work(t, broker, 1, &Processor{Func: punctual(&custom), Queue: f.custom()})
	elsewhere := Delayed("b", 100*time.Millisecond)
	elsewhere.RoutingKey = f.custom()
	Publish(t, broker, elsewhere, Delayed("a", 150*time.Millisecond))
	custom.Await(t, "b")
	seen.Await(t, "a")
	assert.Empty(t, early)
}

func publishHeedsItsContext(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, broker.Publish(ctx, Task("add", "a")), context.Canceled)
	require.ErrorIs(t, broker.Publish(ctx, Delayed("b", time.Hour)), context.Canceled)
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func publishReportsWhatCannotBeEncoded(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	err := broker.Publish(t.Context(), Task("add", "a", tasks.Arg{Type: "float64", Value: math.NaN()}))
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, err, &unsupported)
	assert.ErrorContains(t, err, "task add")
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func eachOfManyPublishedAtOnceRunsOnce(t *testing.T, f *fixture) {
	const senders, each = 8, 20
	broker := f.broker(t, Options{})
	var seen Journal
	Work(t, broker, 4, &Processor{Func: seen.Add})
	var want []string
	for sender := range senders {
		for i := range each {
			want = append(want, fmt.Sprint(sender, "-", i))
		}
	}
	Concurrently(senders, func(sender int) {
		for i := range each {
			assert.NoError(t, broker.Publish(t.Context(), Task("add", fmt.Sprint(sender, "-", i))))
		}
	})
	seen.Await(t, want...)
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.queue()))
	assert.Len(t, seen.UUIDs(), senders*each)
}
