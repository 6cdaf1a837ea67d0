package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

var storeClauses = []clause{
	{"NoDeadLettersAreNoError", noDeadLettersAreNoError},
	{"PushKeepsATaskAndTheReason", pushKeepsATaskAndTheReason},
	{"PushTakesATaskWithoutAReason", pushTakesATaskWithoutAReason},
	{"PushReportsWhatCannotBeEncoded", pushReportsWhatCannotBeEncoded},
	{"LettersComeOldestFirst", lettersComeOldestFirst},
	{"AllEndsWhereItsReaderStops", allEndsWhereItsReaderStops},
	{"AllGoesThroughWhatIsThereWhenItBegins", allGoesThroughWhatIsThereWhenItBegins},
	{"LettersMayBeDroppedAndReplayedWhileAllGoesThroughThem", lettersMayBeSettledWhileAllGoesThroughThem},
	{"LetterThatIsNotThereIsNotFound", letterThatIsNotThereIsNotFound},
	{"DroppedLetterIsGone", droppedLetterIsGone},
	{"LettersOfTheSameTaskAreToldApart", lettersOfTheSameTaskAreToldApart},
	{"DropAllSaysHowMany", dropAllSaysHowMany},
	{"EveryMethodHeedsItsContext", everyMethodHeedsItsContext},
}

// letters returns dead letters, and a broker that uses them and tries each task once.
func (f *fixture) letters(t *testing.T) (deadletter.Store, brokersiface.Broker) {
	t.Helper()
	store := f.OwnDeadLetters(t)
	return store, f.broker(t, Options{DeadLetters: store, MaxAttempts: new(1)})
}

// push keeps tasks.
func push(t *testing.T, store deadletter.Store, signatures ...*tasks.Signature) {
	t.Helper()
	for _, s := range signatures {
		require.NoError(t, store.Push(t.Context(), s, errors.New("no good")))
	}
}

// reject makes dead letters of messages by a worker that wants none of them, and stops it.
func (f *fixture) reject(t *testing.T, store deadletter.Store, queue string, bodies ...string) []deadletter.Letter {
	t.Helper()
	before := count(t, store)
	broker := f.broker(t, Options{DeadLetters: store})
	reject := func(*tasks.Signature) error { return errs.ErrStopTaskDeletion }
	ended := Work(t, broker, 1, &Processor{Queue: queue, Func: reject})
	for _, body := range bodies {
		f.Enqueue(t, queue, []byte(body))
	}
	letters := awaitLetters(t, store, before+len(bodies))
	broker.StopConsuming()
	Await(t, ended)
	return letters
}

func noDeadLettersAreNoError(t *testing.T, f *fixture) {
	for _, store := range []deadletter.Store{f.OwnDeadLetters(t), f.DeadLetters(t)} {
		assert.Zero(t, count(t, store))
		assert.Empty(t, all(t, store))
		replayed, err := store.ReplayAll(t.Context())
		require.NoError(t, err)
		assert.Zero(t, replayed)
		dropped, err := store.DropAll(t.Context())
		require.NoError(t, err)
		assert.Zero(t, dropped)
	}
}

func pushKeepsATaskAndTheReason(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	s := Task("add", "a", tasks.Arg{Name: "n", Type: "uint64", Value: uint64(math.MaxUint64)})
	s.RoutingKey = f.custom()
	s.Headers = tasks.Headers{"trace": "1"}
	before := time.Now().Add(-time.Second) // some servers keep whole seconds
	require.NoError(t, store.Push(t.Context(), s, errors.New(strings.Repeat("why", 300))))

	for range 2 { // looking takes nothing away
		letters := all(t, store)
		require.Len(t, letters, 1)
		letter := letters[0]
		require.NotNil(t, letter.Task)
		assert.Equal(t, "a", letter.UUID)
		assert.Equal(t, "a", letter.Task.UUID)
		assert.Equal(t, json.Number("18446744073709551615"), letter.Task.Args[0].Value)
		assert.Equal(t, s.Headers, letter.Task.Headers)
		assert.Equal(t, f.custom(), letter.Task.RoutingKey)
		assert.Equal(t, strings.Repeat("why", 300), letter.Reason)
		assert.WithinRange(t, letter.Time, before, time.Now().Add(time.Second))
		assert.Equal(t, time.UTC, letter.Time.Location())
		body, err := json.Marshal(s)
		require.NoError(t, err)
		assert.Equal(t, string(body), string(letter.Body))

		got, err := store.Get(t.Context(), letter.ID)
		require.NoError(t, err)
		assert.Equal(t, letter, got)
		assert.Equal(t, 1, count(t, store))
	}
}

func pushTakesATaskWithoutAReason(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	require.NoError(t, store.Push(t.Context(), Task("add", "a"), nil))
	assert.Empty(t, awaitLetters(t, store, 1)[0].Reason)
}

func pushReportsWhatCannotBeEncoded(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	err := store.Push(t.Context(), Task("add", "a", tasks.Arg{Type: "float64", Value: math.NaN()}), errors.New("why"))
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, err, &unsupported)
	assert.ErrorContains(t, err, "task add")
	assert.Zero(t, count(t, store))
}

// More letters than a store reads at a time.
func lettersComeOldestFirst(t *testing.T, f *fixture) {
	const many = 120
	store, _ := f.letters(t)
	var want, got []string
	ids := make(map[string]bool)
	for i := range many {
		want = append(want, fmt.Sprint(i))
		push(t, store, Routed(f.custom(), want[i]))
	}
	for _, letter := range all(t, store) {
		got = append(got, letter.UUID)
		ids[letter.ID] = true
	}
	assert.Equal(t, want, got)
	assert.Len(t, ids, many)
}

func allEndsWhereItsReaderStops(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Task("add", "a"), Task("add", "b"), Task("add", "c"))
	letters := store.All(t.Context())
	for range 2 {
		for letter, err := range letters {
			require.NoError(t, err)
			assert.Equal(t, "a", letter.UUID)
			break
		}
	}
	Eventually(t, func() bool { return count(t, store) == 3 })
	assert.Len(t, all(t, store), 3)
}

func allGoesThroughWhatIsThereWhenItBegins(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Task("add", "a"), Task("add", "b"))
	var got []string
	for letter, err := range store.All(t.Context()) {
		require.NoError(t, err)
		got = append(got, letter.UUID)
		push(t, store, Task("add", "late"))
	}
	assert.Equal(t, []string{"a", "b"}, got)
	awaitLetters(t, store, 4)
}

func lettersMayBeSettledWhileAllGoesThroughThem(t *testing.T, f *fixture) {
	store, broker := f.letters(t)
	Publish(t, broker, Routed(f.custom(), "before")) // there is a queue
	f.Next(t, f.custom())
	for i := range 6 {
		push(t, store, Routed(f.custom(), fmt.Sprint(i)))
	}
	var got []string
	for letter, err := range store.All(t.Context()) {
		require.NoError(t, err)
		got = append(got, letter.UUID)
		settle := store.Drop
		if len(got)%2 == 0 {
			settle = store.Replay
		}
		assert.NoError(t, settle(t.Context(), letter.ID))
	}
	assert.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, got)
	assert.Zero(t, count(t, store))
	assert.Equal(t, 3, f.Waiting(t, f.custom()))
}

func letterThatIsNotThereIsNotFound(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Task("add", "a"))
	ids := []string{"", "-", "+", "$", "*", "nonsense", "1-", "-1", "1-1", "99999999999999999999-0", "\x00\xff", strings.Repeat("x", 100_000)}
	for _, id := range ids {
		_, err := store.Get(t.Context(), id)
		assert.ErrorIs(t, err, deadletter.ErrNotFound, "%.20q", id)
		assert.ErrorIs(t, store.Replay(t.Context(), id), deadletter.ErrNotFound, "%.20q", id)
		assert.ErrorIs(t, store.Drop(t.Context(), id), deadletter.ErrNotFound, "%.20q", id)
	}
	awaitLetters(t, store, 1)
}

func droppedLetterIsGone(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Task("add", "a"), Task("add", "b"), Task("add", "c"))
	id := awaitLetters(t, store, 3)[1].ID
	require.NoError(t, store.Drop(t.Context(), id))
	assert.ErrorIs(t, store.Drop(t.Context(), id), deadletter.ErrNotFound)
	assert.ErrorIs(t, store.Replay(t.Context(), id), deadletter.ErrNotFound)
	_, err := store.Get(t.Context(), id)
	assert.ErrorIs(t, err, deadletter.ErrNotFound)
	left := awaitLetters(t, store, 2)
	assert.Equal(t, []string{"a", "c"}, []string{left[0].UUID, left[1].UUID})
}

func lettersOfTheSameTaskAreToldApart(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	same := Task("add", "a")
	push(t, store, same, same)
	letters := awaitLetters(t, store, 2)
	require.NotEqual(t, letters[0].ID, letters[1].ID)
	require.NoError(t, store.Drop(t.Context(), letters[0].ID))
	assert.Equal(t, letters[1].ID, awaitLetters(t, store, 1)[0].ID)
}

func dropAllSaysHowMany(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Task("add", "a"), Task("add", "b"), Task("add", "c"))
	dropped, err := store.DropAll(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, dropped)
	assert.Zero(t, count(t, store))
	push(t, store, Task("add", "d"))
	assert.Equal(t, "d", awaitLetters(t, store, 1)[0].UUID)
}

func everyMethodHeedsItsContext(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	push(t, store, Routed(f.custom(), "a"))
	id := awaitLetters(t, store, 1)[0].ID
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Push":      func() error { return store.Push(ctx, Task("add", "b"), errors.New("why")) },
		"Get":       func() error { _, err := store.Get(ctx, id); return err },
		"Count":     func() error { _, err := store.Count(ctx); return err },
		"Replay":    func() error { return store.Replay(ctx, id) },
		"ReplayAll": func() error { _, err := store.ReplayAll(ctx); return err },
		"Drop":      func() error { return store.Drop(ctx, id) },
		"DropAll":   func() error { _, err := store.DropAll(ctx); return err },
		"All": func() (last error) {
			for letter, err := range store.All(ctx) {
				assert.Zero(t, letter)
				assert.NoError(t, last, "an error ends it")
				last = err
			}
			return last
		},
	} {
		assert.ErrorIs(t, call(), context.Canceled, name)
	}
	awaitLetters(t, store, 1)
}
