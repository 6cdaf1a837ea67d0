package adaptertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

var sourceClauses = []clause{
	{"QueueIsCounted", queueIsCounted},
	{"DoneGrowsByWhatWorkersHaveDone", doneGrowsByWhatWorkersHaveDone},
	{"WaitingTasksAreListedInPagesAndStay", waitingTasksAreListedInPagesAndStay},
	{"DelayedTasksAreListedWithTheirETA", delayedTasksAreListedWithTheirETA},
	{"ListShowsAMessageThatIsNoTask", listShowsAMessageThatIsNoTask},
	{"ListCutsALargeMessageShort", listCutsALargeMessageShort},
	{"WaitingTaskIsFound", waitingTaskIsFound},
	{"DelayedTaskIsFound", delayedTaskIsFound},
	{"UnknownTaskIsNotFound", unknownTaskIsNotFound},
	{"UnknownQueueIsNotFound", unknownQueueIsNotFound},
	{"CursorThatIsNoneIsAnError", cursorThatIsNoneIsAnError},
	{"LettersAreListedInPages", lettersAreListedInPages},
	{"SourceHeedsItsContext", sourceHeedsItsContext},
	{"WhatASourceCannotDoItSays", whatASourceCannotDoItSays},
}

func queueIsCounted(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Queues"), f.broker(t, Options{})
	assert.NotEmpty(t, s.Name())
	Publish(t, broker, Task("add", "a"), Task("add", "b"), Delayed("c", time.Hour))
	want := inspect.Queue{Name: f.queue(), Waiting: 2, Delayed: 1}
	f.awaitCounts(t, s, want)
	latch := NewLatch(t)
	Start(t, broker, latch.Hold)
	want.Waiting, want.Running, want.Workers = 1, 1, 1
	f.awaitCounts(t, s, want)
	latch.Release()
	want.Waiting, want.Running = 0, 0
	f.awaitCounts(t, s, want)
}

// What is put back is not done; what goes to the dead letters is. A worker that has left has told all.
func doneGrowsByWhatWorkersHaveDone(t *testing.T, f *fixture) {
	s := f.source(t, "Queues")
	done := 0
	for round, uuids := range [][]string{{"a", "b", "c"}, {"d", "e"}} {
		broker := f.broker(t, Options{MaxAttempts: new(2), Backoff: &Backoff{time.Millisecond, time.Millisecond}})
		var seen Journal
		ended := Work(t, broker, 1, &Processor{Func: func(s *tasks.Signature) error {
			_ = seen.Add(s)
			if s.UUID == "e" {
				return errors.New("no good")
			}
			return nil
		}})
		for _, uuid := range uuids {
			Publish(t, broker, Task("add", uuid))
		}
		Eventually(t, func() bool { return f.find(t, s, f.queue()).Dead == round && seen.Len() >= len(uuids)+round })
		broker.StopConsuming()
		<-ended
		done += len(uuids)
		if f.Unsupported["Done"] != "" {
			done = 0
		}
		require.Equal(t, done, max(0, f.find(t, s, f.queue()).Done))
	}
}

func waitingTasksAreListedInPagesAndStay(t *testing.T, f *fixture) {
	s, broker := f.source(t, tasksIn(inspect.Waiting)), f.broker(t, Options{MaxAttempts: new(1)})
	sent := []string{"a", "b", "c", "d", "e", "f", "g"}
	for _, uuid := range sent {
		Publish(t, broker, Task("add", uuid, tasks.Arg{Type: "int64", Value: int64(1)<<62 + 1}))
	}
	for _, limit := range []int{0, 1, 3, 7} {
		all := listed(t, s, f.queue(), inspect.Waiting, limit)
		require.Equal(t, sent, uuidsOf(all))
		for _, one := range all {
			require.NoError(t, one.Err)
			assert.Equal(t, "add", one.Name)
			assert.Equal(t, f.queue(), one.Queue)
			assert.Equal(t, inspect.Waiting, one.State)
			assert.Equal(t, one.Size, len(one.Body))
			assert.Contains(t, []int{0, inspect.Unknown}, one.Attempts)
			require.Len(t, one.Signature.Args, 1)
			assert.Equal(t, "4611686018427387905", one.Signature.Args[0].Value.(interface{ String() string }).String())
		}
	}
	// To have looked is no attempt.
	var seen Journal
	Start(t, broker, seen.Add)
	seen.AwaitInOrder(t, sent...)
}

func delayedTasksAreListedWithTheirETA(t *testing.T, f *fixture) {
	s, broker := f.source(t, tasksIn(inspect.Delayed)), f.broker(t, Options{})
	late, soon := Delayed("late", 2*time.Hour), Delayed("soon", time.Hour)
	other := Delayed("other", time.Hour)
	other.RoutingKey = f.custom()
	Publish(t, broker, late, other, soon)
	all := f.awaitListed(t, s, inspect.Delayed, 2)
	require.Equal(t, []string{"soon", "late"}, uuidsOf(all))
	assert.Equal(t, inspect.Delayed, all[0].State)
	assert.Equal(t, f.queue(), all[0].Queue)
	assert.WithinDuration(t, *soon.ETA, all[0].ETA, time.Millisecond)
	assert.WithinDuration(t, *late.ETA, all[1].ETA, time.Millisecond)
}

func listShowsAMessageThatIsNoTask(t *testing.T, f *fixture) {
	s, broker := f.source(t, tasksIn(inspect.Waiting)), f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	f.Enqueue(t, f.queue(), []byte("secret"), []byte(""), []byte("{}"))
	all := f.awaitListed(t, s, inspect.Waiting, 4)
	assert.Equal(t, "a", all[0].UUID)
	for i, body := range []string{"secret", "", "{}"} {
		bad := all[i+1]
		assert.Nil(t, bad.Signature)
		assert.ErrorIs(t, bad.Err, deadletter.ErrNoTask)
		assert.NotContains(t, bad.Err.Error(), "secret")
		assert.Equal(t, body, string(bad.Body))
		assert.Equal(t, len(body), bad.Size)
	}
}

func listCutsALargeMessageShort(t *testing.T, f *fixture) {
	s, broker := f.source(t, tasksIn(inspect.Waiting)), f.broker(t, Options{})
	value := strings.Repeat("x", 3*inspect.MaxBody)
	Publish(t, broker, Task("add", "a", tasks.Arg{Type: "string", Value: value}), Task("add", "b"))
	all := f.awaitListed(t, s, inspect.Waiting, 2)
	assert.Equal(t, []string{"a", "b"}, uuidsOf(all))
	assert.Equal(t, "add", all[0].Name)
	assert.Len(t, all[0].Body, inspect.MaxBody)
	assert.Greater(t, all[0].Size, len(value))
	assert.Nil(t, all[0].Signature)
	assert.ErrorIs(t, all[0].Err, inspect.ErrLarge)
	f.needs(t, "Task")
	whole, err := s.Task(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, whole.Err)
	assert.Len(t, whole.Body, all[0].Size)
	assert.Equal(t, value, whole.Signature.Args[0].Value)
}

func waitingTaskIsFound(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Task", tasksIn(inspect.Waiting)), f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"), withCallback("b", "c"), Task("add", `d"<>\é`))
	for _, uuid := range []string{"a", "b", `d"<>\é`} {
		got, err := s.Task(t.Context(), uuid)
		require.NoError(t, err, uuid)
		assert.Equal(t, uuid, got.UUID)
		assert.Equal(t, inspect.Waiting, got.State)
		assert.Equal(t, f.queue(), got.Queue)
		assert.NotNil(t, got.Signature)
	}
	_, err := s.Task(t.Context(), "c")
	assert.ErrorIs(t, err, inspect.ErrNotFound, "a callback is in no queue yet")
}

func withCallback(uuid, callback string) *tasks.Signature {
	signature := Task("add", uuid)
	signature.OnSuccess = []*tasks.Signature{Task("add", callback)}
	return signature
}

func delayedTaskIsFound(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Task", tasksIn(inspect.Delayed)), f.broker(t, Options{})
	sent := Delayed("a", time.Hour)
	Publish(t, broker, sent, Delayed("b", time.Hour))
	got, err := s.Task(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, inspect.Delayed, got.State)
	assert.Equal(t, f.queue(), got.Queue)
	assert.WithinDuration(t, *sent.ETA, got.ETA, time.Millisecond)
}

func unknownTaskIsNotFound(t *testing.T, f *fixture) {
	s := f.source(t)
	Publish(t, f.broker(t, Options{}), Task("add", "a"), Delayed("b", time.Hour))
	f.Enqueue(t, f.queue(), []byte("nobody"))
	for name, call := range map[string]func(uuid string) error{
		"Task":      func(uuid string) error { _, err := s.Task(t.Context(), uuid); return err },
		"TaskState": func(uuid string) error { _, err := s.TaskState(t.Context(), uuid); return err },
		"Group":     func(uuid string) error { _, err := s.Group(t.Context(), uuid, inspect.Page{}); return err },
		"Delete":    func(uuid string) error { return s.Delete(t.Context(), uuid) },
		"RunNow":    func(uuid string) error { return s.RunNow(t.Context(), uuid) },
	} {
		if f.Unsupported[name] != "" {
			continue
		}
		for _, uuid := range []string{"task_nobody", "nobody", "", "\x00\n", strings.Repeat("x", 10_000)} {
			assert.ErrorIs(t, call(uuid), inspect.ErrNotFound, name)
		}
	}
}

func unknownQueueIsNotFound(t *testing.T, f *fixture) {
	s := f.source(t)
	for name, call := range map[string]func(queue string) error{
		tasksIn(inspect.Waiting): func(queue string) error {
			_, err := s.Tasks(t.Context(), queue, inspect.Waiting, inspect.Page{})
			return err
		},
		"Letters":     func(queue string) error { _, err := s.Letters(t.Context(), queue, inspect.Page{}); return err },
		"DeadLetters": func(queue string) error { _, err := s.DeadLetters(queue); return err },
		"Pause":       func(queue string) error { return s.Pause(t.Context(), queue) },
		"Resume":      func(queue string) error { return s.Resume(t.Context(), queue) },
	} {
		if f.Unsupported[name] != "" {
			continue
		}
		for _, queue := range []string{"", f.queue() + "-none"} {
			assert.ErrorIs(t, call(queue), inspect.ErrNotFound, name)
		}
	}
}

func cursorThatIsNoneIsAnError(t *testing.T, f *fixture) {
	s := f.source(t)
	for _, cursor := range []string{"x", "-1", "1,2,3,4,5", "\x00"} {
		for _, state := range inspect.States() {
			if f.Unsupported[tasksIn(state)] == "" {
				_, err := s.Tasks(t.Context(), f.queue(), state, inspect.Page{Cursor: cursor})
				assert.ErrorIs(t, err, inspect.ErrCursor, state)
			}
		}
		if f.Unsupported["Letters"] == "" {
			_, err := s.Letters(t.Context(), f.queue(), inspect.Page{Cursor: cursor})
			assert.ErrorIs(t, err, inspect.ErrCursor)
		}
	}
}

func lettersAreListedInPages(t *testing.T, f *fixture) {
	s := f.source(t, "Letters", "DeadLetters")
	large := `{"Name":"add","UUID":"b","Headers":{"x":"` + strings.Repeat("x", 2*inspect.MaxBody) + `"}}`
	bodies := []string{`{"Name":"add","UUID":"a"}`, large, "garbage"}
	f.reject(t, f.DeadLetters(t), f.queue(), bodies...)
	for _, limit := range []int{0, 1, 2} {
		letters := allLetters(t, s, f.queue(), limit)
		require.Len(t, letters, 3)
		for i, letter := range letters {
			assert.Equal(t, bodies[i][:min(len(bodies[i]), inspect.MaxBody)], string(letter.Body))
			assert.Equal(t, []string{"a", "b", ""}[i], letter.UUID)
			assert.Equal(t, i == 0, letter.Task != nil)
			assert.NotEmpty(t, letter.Reason)
			assert.Equal(t, f.queue(), letter.Queue)
		}
		store, err := s.DeadLetters(f.queue())
		require.NoError(t, err)
		whole, err := store.Get(t.Context(), letters[1].ID)
		require.NoError(t, err)
		assert.Equal(t, large, string(whole.Body))
	}
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Dead: 3})
}

func allLetters(t *testing.T, s inspect.Source, queue string, limit int) []deadletter.Letter {
	t.Helper()
	var letters []deadletter.Letter
	for page := (inspect.Page{Limit: limit}); ; {
		got, err := s.Letters(t.Context(), queue, page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Letters), page.Size())
		letters = append(letters, got.Letters...)
		if got.Next == "" {
			return letters
		}
		page.Cursor = got.Next
	}
}

// calls are those of a source that ask the server, by what Adapter.Unsupported calls them.
func (f *fixture) calls(s inspect.Source) map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{
		"Queues":    func(ctx context.Context) error { _, err := s.Queues(ctx); return err },
		"Task":      func(ctx context.Context) error { _, err := s.Task(ctx, "a"); return err },
		"Workers":   func(ctx context.Context) error { _, err := s.Workers(ctx); return err },
		"TaskState": func(ctx context.Context) error { _, err := s.TaskState(ctx, "a"); return err },
		"Group":     func(ctx context.Context) error { _, err := s.Group(ctx, "a", inspect.Page{}); return err },
		"Letters":   func(ctx context.Context) error { _, err := s.Letters(ctx, f.queue(), inspect.Page{}); return err },
		"Delete":    func(ctx context.Context) error { return s.Delete(ctx, "a") },
		"RunNow":    func(ctx context.Context) error { return s.RunNow(ctx, "a") },
		"Pause":     func(ctx context.Context) error { return s.Pause(ctx, f.queue()) },
		"Resume":    func(ctx context.Context) error { return s.Resume(ctx, f.queue()) },
	}
	for _, state := range inspect.States() {
		calls[tasksIn(state)] = func(ctx context.Context) error {
			_, err := s.Tasks(ctx, f.queue(), state, inspect.Page{})
			return err
		}
	}
	return calls
}

func sourceHeedsItsContext(t *testing.T, f *fixture) {
	s := f.source(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range f.calls(s) {
		if f.Unsupported[name] == "" {
			assert.ErrorIs(t, call(ctx), context.Canceled, name)
		}
	}
}

func whatASourceCannotDoItSays(t *testing.T, f *fixture) {
	s := f.source(t)
	for name, call := range f.calls(s) {
		if f.Unsupported[name] != "" {
			assert.ErrorIs(t, call(t.Context()), inspect.ErrUnsupported, name)
			continue
		}
		assert.NotErrorIs(t, call(t.Context()), inspect.ErrUnsupported, name)
	}
}
