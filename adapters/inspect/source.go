package inspect

import (
	"context"
	"errors"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

var (
	// ErrNotFound is returned where there is no such queue, task or group.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported is returned where a broker cannot tell what was asked, or cannot do it. Its text says why, and what
	// to do about it where that is known.
	ErrUnsupported = errors.New("not supported by this broker")
	// ErrCursor is returned for a Page whose Cursor is not the Next of a page of the same list.
	ErrCursor = errors.New("cursor is not known")
	// ErrRunning is returned for removing a task that a worker runs.
	ErrRunning = errors.New("task is running")
	// ErrLarge is the Err of a task in a list whose message has more than MaxBody bytes. Task of the source has it whole.
	ErrLarge = errors.New("message is too large to be read in a list")
)

// A Source is a broker and its result backend: what is there, and what can be done about it. Looking changes nothing.
// Its methods may be called by many goroutines at once. Each returns the errors of the server too, wrapped, and
// ErrUnsupported where the broker cannot tell.
type Source interface {
	// Name tells the source from others, such as "redis". It is fit for a URL's path.
	Name() string
	// Queues returns the queues that the source knows, by name.
	Queues(ctx context.Context) ([]Queue, error)
	// Tasks returns a page of a queue's tasks in one state, the next to run first, or ErrNotFound for a queue that the
	// source does not know. A message that is no task is a Task with an Err. Of the tasks that come and go between two
	// pages, some may be missing or be there twice. A page may be empty though it is not the last.
	Tasks(ctx context.Context, queue string, state State, page Page) (TaskPage, error)
	// Task returns the task with a UUID, wherever it is in the queues, or ErrNotFound. Its Body is whole.
	Task(ctx context.Context, uuid string) (Task, error)
	// Workers returns the workers that are alive.
	Workers(ctx context.Context) ([]Worker, error)
	// TaskState returns the state of a task in the result backend, or ErrNotFound.
	TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error)
	// Group returns a page of a group's members, in their order, or ErrNotFound.
	Group(ctx context.Context, uuid string, page Page) (Group, error)
	// Letters returns a page of the dead letters of a queue, oldest first, or ErrNotFound for a queue that the source does
	// not know.
	Letters(ctx context.Context, queue string, page Page) (LetterPage, error)
	// DeadLetters returns the store that has the dead letters of a queue, or ErrNotFound.
	DeadLetters(queue string) (deadletter.Store, error)
	// Delete removes a task that waits, is delayed or was put back, or returns ErrNotFound, or ErrRunning for one that
	// runs: that cannot be removed. Its state stays as it is.
	Delete(ctx context.Context, uuid string) error
	// RunNow moves a delayed task to its queue, or returns ErrNotFound where none of the delayed has the UUID.
	RunNow(ctx context.Context, uuid string) error
	// Pause keeps the workers of this module from taking tasks of a queue until Resume, also those that start later.
	// Tasks that run go on. Pausing a paused queue is no error. ErrNotFound is for a queue that the source does not know.
	Pause(ctx context.Context, queue string) error
	// Resume ends Pause. Resuming a queue that is not paused is no error.
	Resume(ctx context.Context, queue string) error
}

// Unknown is a count that the broker does not tell.
const Unknown = -1

// A Queue is a queue and how much is in it. Counts are Unknown where the broker does not tell.
type Queue struct {
	Name    string
	Waiting int // to be taken by a worker
	Running int // taken by a worker
	PutBack int // came back after an error, to be taken again later
	Delayed int // to wait for their ETA; Unknown also where there are too many to tell those of one queue
	Dead    int // dead letters
	Workers int // that take tasks from the queue
	Paused  bool
	// Done is how many tasks workers have taken off the queue since they are counted. It only grows; 0 or Unknown where
	// they are not counted. How fast it grows is the throughput.
	Done int
	// Oldest is when the waiting task that is next was sent; zero where none waits or that is not known.
	Oldest time.Time
}

// State is where a task is.
type State string

// The states in which a broker has a task.
const (
	Waiting State = "waiting"
	Running State = "running"
	PutBack State = "put-back"
	Delayed State = "delayed"
)

// States returns all states, in the order in which people look at them.
func States() []State { return []State{Waiting, Running, PutBack, Delayed} }

// A Page is a part of a long list.
type Page struct {
	// Cursor is the Next of the page before; empty for the first.
	Cursor string
	// Limit is the most entries of the page, from 1 to MaxLimit; 0 means DefaultLimit. A page may have fewer though it is
	// not the last, where entries are large.
	Limit int
}

// Bounds of Page.Limit.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Size returns how many entries the page has at most.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}

// A Task is a message in a queue.
type Task struct {
	UUID  string // empty where the message is no task
	Name  string
	Queue string
	State State
	// Signature is the task as it was sent; nil where the message is no task, or is too large to be read in a list.
	Signature *tasks.Signature
	// Err is why Signature is nil.
	Err error
	// Body is the message, byte for byte. In a list it ends after MaxBody bytes.
	Body []byte
	// Size is how many bytes the message has.
	Size int
	// ETA is when a delayed task runs, or one that was put back comes again; else zero.
	ETA time.Time
	// Sent is when the task was sent; zero where that is not known.
	Sent time.Time
	// Worker is the ID of the worker that runs the task; else empty.
	Worker string
	// Attempts is how many attempts at the task have failed, or Unknown.
	Attempts int
}

// MaxBody is how many bytes of each message a list has.
const MaxBody = 64 << 10

// A TaskPage is a page of tasks. Next is the cursor of the page after it; empty where there is none.
type TaskPage struct {
	Tasks []Task
	Next  string
}

// A LetterPage is a page of dead letters. Next is the cursor of the page after it; empty where there is none. Bodies
// end after MaxBody bytes; Get of the store has them whole.
type LetterPage struct {
	Letters []deadletter.Letter
	Next    string
}

// A Worker takes tasks from queues.
type Worker struct {
	ID          string
	Host        string // empty where that is not known
	Process     int    // its ID on the host; 0 where that is not known
	Queues      []string
	Concurrency int       // 0 where that is not known
	Started     time.Time // zero where that is not known
	Beat        time.Time // when it was last heard of; zero where that is not known
	Running     []Run
}

// A Run is a task that a worker runs. Since is zero where that is not known.
type Run struct {
	UUID  string
	Name  string
	Queue string
	Since time.Time
}

// A Group is a group of tasks, or the members of a chord.
type Group struct {
	UUID    string
	Size    int            // how many members it has
	States  map[string]int // how many members are in each of Machinery's states; "" for those without one
	Counted int            // of how many members, the first ones, States tells; Size unless there are very many
	Members []Member       // of the page
	Next    string         // the cursor of the page after it; empty where there is none
}

// A Member is a task of a group. State is nil where the backend has none, and without Results and Error where these are
// larger than MaxBody; TaskState of the source has them.
type Member struct {
	UUID  string
	State *tasks.TaskState
}
