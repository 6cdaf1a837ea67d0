package inspecttest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

type queue struct {
	name    string
	paused  bool
	done    int
	tasks   []inspect.Task
	many    int
	make    func(i int) *tasks.Signature
	letters []deadletter.Letter
}

func (s *Source) queue(name string) *queue {
	q, known := s.queues[name]
	if !known {
		q = &queue{name: name}
		s.queues[name] = q
	}
	return q
}

// AddQueue makes a queue known, with nothing in it.
func (s *Source) AddQueue(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue(name)
}

// Finish counts n tasks of a queue as done.
func (s *Source) Finish(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue(name).done += n
}

// AddTask puts a task in a queue.
func (s *Source) AddTask(name string, state inspect.State, signature *tasks.Signature) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue(name).add(state, *signature)
}

// AddMany has n waiting tasks follow those of AddTask. Each is made when it is looked at. It is found by its UUID where that
// ends in its number.
func (s *Source) AddMany(name string, n int, make func(i int) *tasks.Signature) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(name)
	q.many, q.make = n, make
}

// AddMessage puts a message that is no task in a queue.
func (s *Source) AddMessage(name string, state inspect.State, body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(name)
	q.tasks = append(q.tasks, inspect.Task{
		Queue: name, State: state, Err: err, Body: body, Size: len(body), Attempts: inspect.Unknown,
	})
}

// AddLetter puts a dead letter in the dead letters of a queue.
func (s *Source) AddLetter(name string, letter deadletter.Letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(name)
	q.letters = append(q.letters, letter)
}

// AddWorker makes a worker known.
func (s *Source) AddWorker(worker inspect.Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers = append(s.workers, worker)
}

// SetState gives a task a state in the backend.
func (s *Source) SetState(state *tasks.TaskState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[state.TaskUUID] = state
}

// AddGroup makes a group known by the UUIDs of its members.
func (s *Source) AddGroup(uuid string, members ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[uuid] = members
}

func (q *queue) add(state inspect.State, signature tasks.Signature) {
	q.tasks = append(q.tasks, taskOf(q.name, state, &signature))
}

func taskOf(name string, state inspect.State, signature *tasks.Signature) inspect.Task {
	body, err := json.Marshal(signature)
	task := inspect.Task{
		UUID: signature.UUID, Name: signature.Name, Queue: name, State: state, Signature: signature, Err: err,
		Body: body, Size: len(body), Sent: sent,
	}
	if signature.ETA != nil && state != inspect.Waiting {
		task.ETA = *signature.ETA
	}
	if state == inspect.PutBack {
		task.Attempts = 1
	}
	return task
}

// sent is when all tasks were sent.
var sent = time.Now().Add(-5 * time.Minute)

func (q *queue) describe(workers []inspect.Worker) inspect.Queue {
	described := inspect.Queue{Name: q.name, Paused: q.paused, Waiting: q.many, Dead: len(q.letters), Done: q.done}
	counts := map[inspect.State]*int{
		inspect.Waiting: &described.Waiting, inspect.Running: &described.Running,
		inspect.PutBack: &described.PutBack, inspect.Delayed: &described.Delayed,
	}
	for _, task := range q.tasks {
		*counts[task.State]++
	}
	for _, worker := range workers {
		if slices.Contains(worker.Queues, q.name) {
			described.Workers++
		}
	}
	if described.Waiting > 0 {
		described.Oldest = sent
	}
	return described
}

func (q *queue) page(state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	var listed []inspect.Task
	for _, task := range q.tasks {
		if task.State == state {
			listed = append(listed, task)
		}
	}
	n := len(listed)
	if state == inspect.Waiting {
		n += q.many
	}
	from, to, next, err := bounds(page, n)
	result := inspect.TaskPage{Next: next}
	for i := from; i < to; i++ {
		task := q.task(listed, i)
		if len(task.Body) > inspect.MaxBody {
			task.Body, task.Signature, task.Err = task.Body[:inspect.MaxBody], nil, inspect.ErrLarge
		}
		result.Tasks = append(result.Tasks, task)
	}
	return result, err
}

func (q *queue) task(listed []inspect.Task, i int) inspect.Task {
	if i < len(listed) {
		return listed[i]
	}
	return taskOf(q.name, inspect.Waiting, q.make(i-len(listed)))
}

func (q *queue) find(uuid string) (inspect.Task, bool) {
	i := slices.IndexFunc(q.tasks, func(t inspect.Task) bool { return t.UUID == uuid && uuid != "" })
	if i < 0 {
		return q.findMade(uuid)
	}
	return q.tasks[i], true
}

// findMade finds a task of AddMany by its number, which ends its UUID.
func (q *queue) findMade(uuid string) (inspect.Task, bool) {
	i, err := strconv.Atoi(uuid[strings.LastIndexByte(uuid, '_')+1:])
	if err != nil || i < 0 || i >= q.many {
		return inspect.Task{}, false
	}
	made := taskOf(q.name, inspect.Waiting, q.make(i))
	return made, made.UUID == uuid
}

func (q *queue) remove(uuid string) {
	q.tasks = slices.DeleteFunc(q.tasks, func(t inspect.Task) bool { return t.UUID == uuid })
}
