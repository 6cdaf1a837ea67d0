package amqpadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// maxBrowsed is how many messages of a queue are taken out at most, to be put back.
const maxBrowsed = 1000

var (
	errNotShown = unsupported("RabbitMQ hands out tasks, and does not show them: looking takes each one out and puts it back, " +
		"which amqpadapter.BrowseQueues, or machinery-inspect -browse, allows for classic queues")
	errTooDeep = unsupported("RabbitMQ shows messages only by taking out all before them: of each queue the first " +
		strconv.Itoa(maxBrowsed) + " are looked at")
	// errWhere is why there is no list of the tasks in a state.
	errWhere = map[inspect.State]error{
		inspect.Running: unsupported("RabbitMQ does not show what workers have; inspect.WithManagement counts it"),
		inspect.PutBack: errDelayed,
		inspect.Delayed: errDelayed,
	}
)

// Tasks returns a page of the tasks that wait in a queue, and then of those in the queue beside that came a second time,
// where BrowseQueues allows that and the queue is a classic one. An empty queue has an empty page. All else is
// inspect.ErrUnsupported. A cursor counts tasks from the front: those that are taken meanwhile move what follows.
func (s *source) Tasks(ctx context.Context, queue string, state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	tasks, err := s.tasks(ctx, queue, state, page)
	if err != nil {
		return inspect.TaskPage{}, fmt.Errorf("tasks of queue %q: %w", queue, err)
	}
	return tasks, nil
}

func (s *source) tasks(ctx context.Context, queue string, state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	if err := s.check(ctx, queue); err != nil {
		return inspect.TaskPage{}, err
	}
	if state != inspect.Waiting {
		if err := errWhere[state]; err != nil {
			return inspect.TaskPage{}, err
		}
		return inspect.TaskPage{}, unsupported(fmt.Sprintf("there is no state %.40q", state))
	}
	begin, err := page.Offset()
	if err != nil {
		return inspect.TaskPage{}, err
	}
	shown := window{begin: begin, size: page.Size()}
	var tasks []inspect.Task
	for _, part := range []string{queue, queue + redeliveredSuffix} {
		err := s.browseQueue(ctx, part, func(d amqp.Delivery) (bool, error) {
			if shown.has() {
				tasks = append(tasks, listedTask(d, queue, s.MaxMessage))
			}
			return shown.next()
		})
		if err != nil {
			return inspect.TaskPage{}, err
		}
	}
	return inspect.TaskPage{Tasks: tasks, Next: shown.cursor()}, nil
}

// A window is a page of what is gone through from the front.
type window struct{ begin, size, seen int }

// has reports whether what is gone through now is in the page.
func (w *window) has() bool { return w.seen >= w.begin && w.seen < w.begin+w.size }

// next goes on, and reports whether more is wanted: one more than there are in the page.
func (w *window) next() (more bool, err error) {
	w.seen++
	if w.begin >= maxBrowsed {
		return false, errTooDeep
	}
	return w.seen <= w.begin+w.size, nil
}

// cursor returns the one of the page after this.
func (w *window) cursor() string {
	if w.seen <= w.begin+w.size {
		return ""
	}
	return strconv.Itoa(w.begin + w.size)
}

// listedTask is a task in a list.
func listedTask(d amqp.Delivery, queue string, maxMessage int) inspect.Task {
	if len(d.Body) <= inspect.MaxBody {
		return taskOf(d, queue, maxMessage)
	}
	task := messageIn(d, queue)
	task.UUID, task.Name = namesIn(d.Body)
	task.Err = inspect.ErrLarge
	task.Body = bytes.Clone(d.Body[:inspect.MaxBody]) // else the whole message stays in memory
	return task
}

// namesIn returns the UUID and the name of a task, without the memory that its arguments would take; empty where the
// message is none.
func namesIn(body []byte) (uuid, name string) {
	var names struct{ UUID, Name string }
	if json.Unmarshal(body, &names) != nil {
		return "", ""
	}
	return names.UUID, names.Name
}

// taskOf is a task that waits, as a whole.
func taskOf(d amqp.Delivery, queue string, maxMessage int) inspect.Task {
	task := messageIn(d, queue)
	task.Body = d.Body
	task.Signature, task.Err = delivery.DecodeWithin(d.Body, maxMessage)
	if task.Err == nil {
		task.UUID, task.Name = task.Signature.UUID, task.Signature.Name
	}
	return task
}

// messageIn is what is known of a message besides its body.
func messageIn(d amqp.Delivery, queue string) inspect.Task {
	return inspect.Task{
		Queue:    queue,
		State:    inspect.Waiting,
		Size:     len(d.Body),
		Sent:     d.Timestamp,
		Attempts: countIn(d.Headers, DeliveriesHeader),
	}
}

// Task returns a task that waits in a classic queue, where BrowseQueues allows to look for it. One that is among the
// tasks which cannot be looked at is not found; where a queue that is not empty could not be looked through, the error is
// inspect.ErrUnsupported.
func (s *source) Task(ctx context.Context, uuid string) (inspect.Task, error) {
	if s.err == nil && !s.Browse {
		return inspect.Task{}, errNotShown
	}
	var task inspect.Task
	err := s.find(ctx, uuid, func(d amqp.Delivery, queue string) error {
		task = taskOf(d, queue, s.MaxMessage)
		return nil
	})
	if err != nil {
		return inspect.Task{}, fmt.Errorf("task %.40q: %w", uuid, err)
	}
	return task, nil
}

// Delete removes a task that waits in a classic queue. It takes out those before it and puts them back, as BrowseQueues
// has Tasks do. See Task for the errors.
func (s *source) Delete(ctx context.Context, uuid string) error {
	err := s.find(ctx, uuid, func(d amqp.Delivery, _ string) error { return d.Ack(false) })
	if err != nil {
		return fmt.Errorf("delete task %.40q: %w", uuid, err)
	}
	return nil
}

// find does something with the task of a UUID, which is out of its queue meanwhile.
func (s *source) find(ctx context.Context, uuid string, do func(d amqp.Delivery, queue string) error) error {
	if s.err != nil {
		return s.err
	}
	queues, err := s.names(ctx)
	if err != nil {
		return err
	}
	var unseen error
	for _, queue := range queues {
		for _, part := range []string{queue, queue + redeliveredSuffix} {
			found, err := s.findIn(ctx, part, uuid, func(d amqp.Delivery) error { return do(d, queue) })
			switch {
			case found:
				return err
			case errors.Is(err, inspect.ErrUnsupported):
				unseen = fmt.Errorf("not found in other queues: %w", err)
			case err != nil:
				return err
			}
		}
	}
	if unseen != nil {
		return unseen
	}
	return fmt.Errorf("%w among the tasks that wait", inspect.ErrNotFound)
}

func (s *source) findIn(ctx context.Context, queue, uuid string, do func(amqp.Delivery) error) (found bool, err error) {
	seen := 0
	err = s.takeOut(ctx, queue, func(d amqp.Delivery) (bool, error) {
		if task, err := delivery.Decode(d.Body); err == nil && task.UUID == uuid {
			found = true
			return false, do(d)
		}
		if seen++; seen >= maxBrowsed {
			return false, errTooDeep
		}
		return true, nil
	})
	return found, err
}

// browseQueue visits the messages of a queue where that is allowed.
func (s *source) browseQueue(ctx context.Context, queue string, visit func(amqp.Delivery) (more bool, err error)) error {
	if s.Browse {
		return s.takeOut(ctx, queue, visit)
	}
	found, err := s.declared(ctx, queue)
	if err != nil || found.Messages == 0 {
		return err
	}
	return errNotShown
}

// takeOut visits the messages of a classic queue until visit wants no more. What visit does not acknowledge goes back.
func (s *source) takeOut(ctx context.Context, queue string, visit func(amqp.Delivery) (more bool, err error)) (err error) {
	if err := s.looking.lock(ctx); err != nil { // another look would not see what this one has
		return err
	}
	defer s.looking.unlock()
	browser, err := s.publisher.browse(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if unsure := browser.close(ctx); unsure != nil {
			err = unsure
		}
	}()
	err = s.publisher.checkLook(ctx, browser, queue)
	switch {
	case isMissing(err):
		return nil
	case errors.Is(err, ErrNotListable):
		return fmt.Errorf("%w: %w", inspect.ErrUnsupported, err)
	case err != nil:
		return err
	}
	for d, err := range browser.messages(ctx, queue) {
		if err != nil {
			return err
		}
		if more, err := visit(d); err != nil || !more {
			return err
		}
	}
	return nil
}
