package inspecttest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// A Source is an inspect.Source in memory. Its Add methods fill it.
type Source struct {
	name string

	mu          sync.Mutex
	err         error
	unsupported error
	search      time.Duration
	calls       map[string]int
	queues      map[string]*queue
	workers     []inspect.Worker
	states      map[string]*tasks.TaskState
	groups      map[string][]string
}

var _ inspect.Source = (*Source)(nil)

// New returns a source with nothing in it.
func New(name string) *Source {
	return &Source{
		name: name, calls: map[string]int{}, queues: map[string]*queue{},
		states: map[string]*tasks.TaskState{}, groups: map[string][]string{},
	}
}

// Fail has every method return err until Fail(nil), as those of a source whose broker is down do.
func (s *Source) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// HideContents has the methods that look into queues return an error that wraps inspect.ErrUnsupported, as those of a
// source do whose broker cannot show a task without taking it.
func (s *Source) HideContents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsupported = fmt.Errorf("%w: RabbitMQ does not show tasks without taking them", inspect.ErrUnsupported)
}

// Calls returns how often each method of inspect.Source was called, by its name.
func (s *Source) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make(map[string]int, len(s.calls))
	for name, n := range s.calls {
		calls[name] = n
	}
	return calls
}

// begin locks the source for a method. Its caller unlocks it, also after an error.
func (s *Source) begin(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.err
}

// Name implements inspect.Source.
func (s *Source) Name() string { return s.name }

// Queues implements inspect.Source.
func (s *Source) Queues(ctx context.Context) ([]inspect.Queue, error) {
	err := s.begin(ctx, "Queues")
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var all []inspect.Queue
	for _, q := range s.queues {
		all = append(all, q.describe(s.workers))
	}
	slices.SortFunc(all, func(a, b inspect.Queue) int { return compare(a.Name, b.Name) })
	return all, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Tasks implements inspect.Source.
func (s *Source) Tasks(ctx context.Context, name string, state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	err := s.begin(ctx, "Tasks")
	defer s.mu.Unlock()
	if err != nil {
		return inspect.TaskPage{}, err
	}
	q, known := s.queues[name]
	if !known {
		return inspect.TaskPage{}, fmt.Errorf("queue %q: %w", name, inspect.ErrNotFound)
	}
	if s.unsupported != nil && state != inspect.Running {
		return inspect.TaskPage{}, s.unsupported
	}
	return q.page(state, page)
}

// SearchTakes has Task take a time, as it does where many tasks wait.
func (s *Source) SearchTakes(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.search = d
}

func (s *Source) awaitSearch(ctx context.Context) {
	s.mu.Lock()
	search := s.search
	s.mu.Unlock()
	if search == 0 {
		return
	}
	select {
	case <-time.After(search):
	case <-ctx.Done():
	}
}

// Task implements inspect.Source.
func (s *Source) Task(ctx context.Context, uuid string) (inspect.Task, error) {
	s.awaitSearch(ctx)
	err := s.begin(ctx, "Task")
	defer s.mu.Unlock()
	if err != nil {
		return inspect.Task{}, err
	}
	if s.unsupported != nil {
		return inspect.Task{}, s.unsupported
	}
	for _, q := range s.queues {
		if task, known := q.find(uuid); known {
			return task, nil
		}
	}
	return inspect.Task{}, fmt.Errorf("task %q: %w", uuid, inspect.ErrNotFound)
}

// Workers implements inspect.Source.
func (s *Source) Workers(ctx context.Context) ([]inspect.Worker, error) {
	err := s.begin(ctx, "Workers")
	defer s.mu.Unlock()
	return slices.Clone(s.workers), err
}

// TaskState implements inspect.Source.
func (s *Source) TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error) {
	err := s.begin(ctx, "TaskState")
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if state, known := s.states[uuid]; known {
		return state, nil
	}
	return nil, fmt.Errorf("state of task %q: %w", uuid, inspect.ErrNotFound)
}

// Group implements inspect.Source.
func (s *Source) Group(ctx context.Context, uuid string, page inspect.Page) (inspect.Group, error) {
	err := s.begin(ctx, "Group")
	defer s.mu.Unlock()
	if err != nil {
		return inspect.Group{}, err
	}
	members, known := s.groups[uuid]
	if !known {
		return inspect.Group{}, fmt.Errorf("group %q: %w", uuid, inspect.ErrNotFound)
	}
	group := inspect.Group{UUID: uuid, Size: len(members), States: map[string]int{}, Counted: len(members)}
	for _, member := range members {
		state := ""
		if known := s.states[member]; known != nil {
			state = known.State
		}
		group.States[state]++
	}
	from, to, next, err := bounds(page, len(members))
	for _, member := range members[from:to] {
		group.Members = append(group.Members, inspect.Member{UUID: member, State: s.states[member]})
	}
	group.Next = next
	return group, err
}

// bounds returns which of n entries are on a page. Cursors are the index of the first entry.
func bounds(page inspect.Page, n int) (from, to int, next string, err error) {
	if page.Cursor != "" {
		from, err = strconv.Atoi(page.Cursor)
		if err != nil || from < 0 {
			return 0, 0, "", fmt.Errorf("cursor %q: %w", page.Cursor, inspect.ErrNotFound)
		}
	}
	from = min(from, n)
	if to = min(from+page.Size(), n); to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}

// Letters implements inspect.Source.
func (s *Source) Letters(ctx context.Context, name string, page inspect.Page) (inspect.LetterPage, error) {
	err := s.begin(ctx, "Letters")
	defer s.mu.Unlock()
	if err != nil {
		return inspect.LetterPage{}, err
	}
	q, known := s.queues[name]
	if !known {
		return inspect.LetterPage{}, fmt.Errorf("queue %q: %w", name, inspect.ErrNotFound)
	}
	from, to, next, err := bounds(page, len(q.letters))
	letters := slices.Clone(q.letters[from:to])
	for i := range letters {
		letters[i].Body = letters[i].Body[:min(len(letters[i].Body), inspect.MaxBody)]
	}
	return inspect.LetterPage{Letters: letters, Next: next}, err
}

// DeadLetters implements inspect.Source.
func (s *Source) DeadLetters(name string) (deadletter.Store, error) {
	err := s.begin(context.Background(), "DeadLetters")
	defer s.mu.Unlock()
	if err == nil && s.queues[name] == nil {
		err = fmt.Errorf("queue %q: %w", name, inspect.ErrNotFound)
	}
	return &letters{source: s, queue: name}, err
}
