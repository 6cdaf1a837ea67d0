package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// taskData is what the page of a task shows.
type taskData struct {
	Source  string
	UUID    string
	Name    string
	InQueue *Task // without its message; nil where it is in no queue
	// Searching says that the queues are being looked through for it.
	Searching bool
	Refused   string // why it is not known whether it is in a queue
	Outcome   string // its state in the backend; empty where there is none
	Created   time.Time
	Error     string // of a task that failed
	Broken    string // why the message is no task
	Start     string // of such a message
	Details   []detail
	Args      []value
	Results   []value
	Headers   []detail
	Graph     *graph
	// CanDelete and CanRunNow say what the state of the task allows.
	CanDelete, CanRunNow bool
	Running              time.Time // since when; zero where that is not known
}

// A detail is something said of a task in a word or two.
type detail struct{ Name, Text string }

func (h *Handler) taskPage(ctx context.Context, m *monitor, asked ask) (content, error) {
	query := asked.query
	uuid := query.Get(uuidParameter)
	data := taskData{Source: m.name, UUID: cut(uuid, maxName)}
	state, stateErr := m.source.TaskState(ctx, uuid)
	task, taskErr := searchTask(ctx, m, uuid, state, asked.search)
	calls := 2
	if errors.Is(taskErr, errSearching) {
		data.Searching, taskErr = true, nil
	}
	if taskErr != nil && stateErr != nil {
		return content{calls: calls}, noTask(uuid, taskErr, stateErr)
	}
	if err := unexpected(taskErr, stateErr); err != nil {
		return content{calls: calls}, err
	}
	if stateErr == nil {
		h.addState(ctx, &data, state)
	}
	switch {
	case data.Searching:
	case taskErr == nil:
		calls += h.addTask(ctx, &data, m, task)
	case errors.Is(taskErr, ErrUnsupported):
		data.Refused = sentence(taskErr)
	}
	title := data.Name
	if title == "" {
		title = data.UUID
	}
	shown := content{template: "task", title: title, data: data, calls: calls}
	if data.Searching {
		shown.reload = 5
	}
	return shown, nil
}

var errSearching = errors.New("the queues are being looked through")

// searchTask looks for a task in the queues. Of one that has ended it knows that it is in none.
func searchTask(ctx context.Context, m *monitor, uuid string, state *tasks.TaskState, search time.Duration) (Task, error) {
	if state != nil && state.IsCompleted() {
		return Task{}, ErrNotFound
	}
	searching, cancel := context.WithTimeout(ctx, search)
	defer cancel()
	task, err := m.source.Task(searching, uuid)
	if errors.Is(err, context.DeadlineExceeded) {
		return Task{}, errSearching
	}
	return task, err
}

func noTask(uuid string, taskErr, stateErr error) error {
	if err := unexpected(taskErr, stateErr); err != nil {
		return err
	}
	if errors.Is(taskErr, ErrUnsupported) && errors.Is(stateErr, ErrUnsupported) {
		return taskErr
	}
	return notFound("There is no task “" + cut(uuid, maxName) + "”. It may have run and expired, or never was.")
}

// unexpected returns the first error that is not one of something missing.
func unexpected(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil && !isMissing(err) })
	if i < 0 {
		return nil
	}
	return errs[i]
}

func (d describer) addState(ctx context.Context, data *taskData, state *tasks.TaskState) {
	data.Outcome, data.Created, data.Error = cut(state.State, maxName), state.CreatedAt, cut(state.Error, maxText)
	data.Name = cut(state.TaskName, maxName)
	budget := newBudget()
	for _, result := range state.Results {
		if result != nil {
			data.Results = append(data.Results, d.showValue(ctx, budget, "", result.Type, result.Value))
		}
	}
}

// addTask adds what the queue tells, and returns how many questions that took.
func (d describer) addTask(ctx context.Context, data *taskData, m *monitor, task Task) int {
	data.CanDelete, data.CanRunNow = task.State != Running, task.State == Delayed
	if task.Err != nil {
		data.Broken, data.Start = sentence(task.Err), startOf(task.Body)
	}
	signature := task.Signature
	data.InQueue = &task
	task.Body, task.Signature = nil, nil
	if task.Name != "" {
		data.Name = cut(task.Name, maxName)
	}
	data.Running = m.runningSince(task.UUID)
	if signature == nil {
		return 0
	}
	d.addSignature(ctx, data, signature)
	drawn, calls := graphOf(ctx, m, signature)
	data.Graph = drawn
	return calls
}

// addSignature adds the arguments and the headers of a task.
func (d describer) addSignature(ctx context.Context, data *taskData, signature *tasks.Signature) {
	data.Details = detailsOf(signature)
	budget := newBudget()
	for _, arg := range signature.Args {
		data.Args = append(data.Args, d.showValue(ctx, budget, arg.Name, arg.Type, arg.Value))
	}
	for _, name := range slices.Sorted(maps.Keys(signature.Headers)) {
		data.Headers = append(data.Headers, detail{cut(name, maxName), brief(signature.Headers[name])})
	}
}

// runningSince returns since when a worker runs a task.
func (m *monitor) runningSince(uuid string) time.Time {
	for _, worker := range m.snapshot().workers {
		for _, run := range worker.Running {
			if run.UUID == uuid {
				return run.Since
			}
		}
	}
	return time.Time{}
}

// groupData is what the page of a group shows.
type groupData struct {
	Source string
	Group  Group
	Few    bool // whether the states are those of the first members alone
	Bars   []bar
	List   list
}

// A bar is the share of a group's members that are in a state.
type bar struct {
	State string
	Count int
	// X and Width are of 100.
	X, Width float64
}

func (h *Handler) groupPage(ctx context.Context, m *monitor, asked ask) (content, error) {
	query := asked.query
	uuid := query.Get(uuidParameter)
	group, err := m.source.Group(ctx, uuid, Page{Cursor: query.Get(cursorParameter)})
	if err != nil {
		return content{calls: 1}, failureOf(err, "group “"+cut(uuid, maxName)+"”")
	}
	data := groupData{Source: m.name, Group: group, Bars: barsOf(group), Few: group.Counted < group.Size}
	data.List.link(query, group.Next)
	return content{template: "group", title: "Group", data: data, calls: 1}, nil
}

// outcomes are Machinery's states, in the order in which tasks go through them.
var outcomes = []string{
	tasks.StateSuccess, tasks.StateFailure, tasks.StateRetry, tasks.StateStarted, tasks.StateReceived, tasks.StatePending, "",
}

func barsOf(group Group) []bar {
	var bars []bar
	x, counted := 0.0, 0
	for _, n := range group.States {
		counted += n
	}
	for _, state := range outcomes {
		n := group.States[state]
		if n == 0 {
			continue
		}
		width := 100 * float64(n) / float64(counted)
		bars = append(bars, bar{state, n, x, width})
		x += width
	}
	return bars
}
