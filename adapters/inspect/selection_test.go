package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// shelf is a source and its dead letters, which are in pages of two.
type shelf struct {
	inspect.Source
	letters  []deadletter.Letter
	tasks    []inspect.Task
	replayed []string
	err      map[string]error // of acting on an ID
}

func (s *shelf) DeadLetters(string) (deadletter.Store, error) { return shelfLetters{s}, nil }

func (s *shelf) Letters(_ context.Context, _ string, page inspect.Page) (inspect.LetterPage, error) {
	part, next := pageOf(s.letters, page)
	return inspect.LetterPage{Letters: part, Next: next}, nil
}

func (s *shelf) Tasks(_ context.Context, _ string, state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	part, next := pageOf(slices.DeleteFunc(slices.Clone(s.tasks), func(t inspect.Task) bool { return t.State != state }), page)
	return inspect.TaskPage{Tasks: part, Next: next}, nil
}

func pageOf[T any](all []T, page inspect.Page) ([]T, string) {
	from, _ := strconv.Atoi(page.Cursor)
	to := min(len(all), from+2)
	if to == len(all) {
		return all[from:], ""
	}
	return all[from:to], strconv.Itoa(to)
}

func (s *shelf) Task(_ context.Context, uuid string) (inspect.Task, error) {
	if i := s.indexOf(uuid); i >= 0 {
		return s.tasks[i], nil
	}
	return inspect.Task{}, inspect.ErrNotFound
}

func (s *shelf) indexOf(uuid string) int {
	return slices.IndexFunc(s.tasks, func(t inspect.Task) bool { return t.UUID == uuid })
}

func (s *shelf) Delete(_ context.Context, uuid string) error {
	if err := s.err[uuid]; err != nil {
		return err
	}
	i := s.indexOf(uuid)
	s.tasks = slices.Delete(s.tasks, i, i+1)
	return nil
}

func (s *shelf) RunNow(_ context.Context, uuid string) error {
	s.tasks[s.indexOf(uuid)].State = inspect.Waiting
	return nil
}

type shelfLetters struct{ *shelf }

func (s shelfLetters) find(id string) int {
	return slices.IndexFunc(s.letters, func(l deadletter.Letter) bool { return l.ID == id })
}

func (s shelfLetters) Push(context.Context, *tasks.Signature, error) error     { panic("not used") }
func (s shelfLetters) All(context.Context) iter.Seq2[deadletter.Letter, error] { panic("not used") }
func (s shelfLetters) Count(context.Context) (int, error)                      { panic("not used") }
func (s shelfLetters) ReplayAll(context.Context) (int, error)                  { panic("not used") }
func (s shelfLetters) DropAll(context.Context) (int, error)                    { panic("not used") }

func (s shelfLetters) Get(_ context.Context, id string) (deadletter.Letter, error) {
	if i := s.find(id); i >= 0 {
		return s.letters[i], nil
	}
	return deadletter.Letter{}, deadletter.ErrNotFound
}

func (s shelfLetters) Replay(ctx context.Context, id string) error {
	if err := s.Drop(ctx, id); err != nil {
		return err
	}
	s.shelf.replayed = append(s.shelf.replayed, id)
	return nil
}

func (s shelfLetters) Drop(_ context.Context, id string) error {
	if err := s.err[id]; err != nil {
		return err
	}
	i := s.find(id)
	if i < 0 {
		return deadletter.ErrNotFound
	}
	s.shelf.letters = slices.Delete(s.letters, i, i+1)
	return nil
}

// newShelf has dead letters l-0 to l-9 and waiting tasks u-0 to u-9, of which those with even numbers are named even.
func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{err: map[string]error{}}
	for i := range 10 {
		signature := &tasks.Signature{UUID: fmt.Sprint("u-", i), Name: []string{"even", "odd"}[i%2], Args: []tasks.Arg{{Name: "n", Value: i}}}
		body, err := json.Marshal(signature)
		require.NoError(t, err)
		s.letters = append(s.letters, deadletter.Letter{ID: fmt.Sprint("l-", i), Task: signature, Body: body})
		s.tasks = append(s.tasks, inspect.Task{UUID: signature.UUID, Name: signature.Name, Queue: "q", State: inspect.Waiting, Signature: signature})
	}
	return s
}

func parseFilter(t *testing.T, text string) inspect.Filter {
	t.Helper()
	f, err := inspect.ParseFilter(text)
	require.NoError(t, err)
	return f
}

func selectLetters(t *testing.T, s *shelf, filter string) *inspect.SelectedLetters {
	t.Helper()
	selected, err := inspect.SelectLetters(t.Context(), s, nil, "q", parseFilter(t, filter))
	require.NoError(t, err)
	return selected
}

func TestSelectingLettersCountsThemAndChangesNothing(t *testing.T) {
	s := newShelf(t)
	assert.Equal(t, 10, selectLetters(t, s, "").Count)
	assert.Equal(t, 3, selectLetters(t, s, "task = even and n >= 4").Count)
	assert.Len(t, s.letters, 10)
	assert.Empty(t, s.replayed)
}

func TestOnlySelectedLettersAreReplayedWithProgress(t *testing.T) {
	s := newShelf(t)
	var seen []inspect.Progress
	outcome, err := selectLetters(t, s, "task = even and n >= 4").Replay(t.Context(), func(p inspect.Progress) { seen = append(seen, p) })
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 3}, outcome)
	assert.Equal(t, []string{"l-4", "l-6", "l-8"}, s.replayed)
	assert.Equal(t, []inspect.Progress{{1, 0, 3}, {2, 0, 3}, {3, 0, 3}}, seen)
}

func TestLettersThatChangedSinceAreReportedAndStay(t *testing.T) {
	s := newShelf(t)
	selected := selectLetters(t, s, "task = even")
	s.letters[2].Body = []byte("another")
	s.letters = slices.Delete(s.letters, 4, 5)
	s.err["l-6"] = deadletter.ErrUnknownQueue
	outcome, err := selected.Replay(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 2, Failed: 3, Failures: []inspect.Failure{
		{"l-2", inspect.ErrChanged}, {"l-4", inspect.ErrChanged}, {"l-6", deadletter.ErrUnknownQueue}}}, outcome)
	assert.Equal(t, []string{"l-0", "l-8"}, s.replayed)

	outcome, err = selected.Drop(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, []any{0, 5}, []any{outcome.Done, outcome.Failed}, "what was replayed is gone")
}

func TestAServerThatFailsEndsAnAction(t *testing.T) {
	s, down := newShelf(t), errors.New("down")
	s.err["l-2"] = down
	outcome, err := selectLetters(t, s, "").Drop(t.Context(), nil)
	require.ErrorIs(t, err, down)
	assert.Equal(t, inspect.Outcome{Done: 2}, outcome)
	assert.Len(t, s.letters, 8)
}

func TestTheEndOfAContextEndsAnAction(t *testing.T) {
	s := newShelf(t)
	ctx, cancel := context.WithCancel(t.Context())
	outcome, err := selectLetters(t, s, "").Drop(ctx, func(p inspect.Progress) {
		if p.Done == 4 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 4, outcome.Done)
	_, err = inspect.SelectLetters(ctx, s, nil, "q", inspect.Filter{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLettersThatCannotBeReadAreLeftOut(t *testing.T) {
	s := newShelf(t)
	s.letters[0].Task.Args[0].Value = `{"$envelope":1,`
	selected := selectLetters(t, s, "n >= 1")
	assert.Equal(t, []any{9, 1}, []any{selected.Count, selected.Unread})
}

func TestOnlySelectedTasksAreDeleted(t *testing.T) {
	s := newShelf(t)
	s.tasks[9].State = inspect.Delayed
	s.tasks = append(s.tasks, inspect.Task{State: inspect.Waiting, Queue: "q", Err: deadletter.ErrNoTask})
	selected, err := inspect.SelectTasks(t.Context(), s, nil, "q", inspect.Waiting, parseFilter(t, "n > 5"))
	require.NoError(t, err)
	assert.Equal(t, []any{3, 1}, []any{selected.Count, selected.Unread})
	s.tasks[6].State = inspect.Running
	s.tasks[7].Signature = &tasks.Signature{Args: []tasks.Arg{{Name: "n", Value: 1}}}
	outcome, err := selected.Delete(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 1, Failed: 2, Failures: []inspect.Failure{{"u-6", inspect.ErrChanged}, {"u-7", inspect.ErrChanged}}}, outcome)
	assert.Equal(t, -1, s.indexOf("u-8"))

	delayed, err := inspect.SelectTasks(t.Context(), s, nil, "q", inspect.Delayed, inspect.Filter{})
	require.NoError(t, err)
	outcome, err = delayed.RunNow(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 1}, outcome)
	assert.Equal(t, inspect.Waiting, s.tasks[s.indexOf("u-9")].State)
}

func TestATaskThatIsInAnotherQueueByNowIsNotDeleted(t *testing.T) {
	s := newShelf(t)
	selected, err := inspect.SelectTasks(t.Context(), s, nil, "q", inspect.Waiting, inspect.Filter{})
	require.NoError(t, err)
	s.tasks[4].Queue = "urgent"
	outcome, err := selected.Delete(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 9, Failed: 1, Failures: []inspect.Failure{{"u-4", inspect.ErrChanged}}}, outcome)
}

func TestTasksThatWorkersTakeMeanwhileStayAndTheRestIsDeleted(t *testing.T) {
	s := newShelf(t)
	selected, err := inspect.SelectTasks(t.Context(), s, nil, "q", inspect.Waiting, inspect.Filter{})
	require.NoError(t, err)
	s.err["u-3"] = fmt.Errorf("delete task: %w", inspect.ErrRunning) // it began after it was read
	outcome, err := selected.Delete(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, inspect.Outcome{Done: 9, Failed: 1, Failures: []inspect.Failure{{"u-3", s.err["u-3"]}}}, outcome)
	assert.Len(t, s.tasks, 1)
}

func TestASelectionIsBounded(t *testing.T) {
	s := &shelf{}
	for i := range inspect.MaxSelected + 1 {
		s.letters = append(s.letters, deadletter.Letter{ID: strconv.Itoa(i)})
	}
	selected := selectLetters(t, s, "")
	assert.Equal(t, []any{inspect.MaxSelected, true}, []any{selected.Count, selected.More})
}
