package redisadapter

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

const (
	// pageBytes bounds the messages of a page, but for the reply that goes beyond.
	pageBytes = 8 << 20
	// pageExamined bounds how many messages are looked at for a page, where those of other queues are among them.
	pageExamined = 5000
)

// Tasks returns a page of a queue's tasks in one state.
func (s *source) Tasks(ctx context.Context, queue string, state inspect.State, page inspect.Page) (inspect.TaskPage, error) {
	from, err := parseCursor(page.Cursor)
	if err != nil {
		return inspect.TaskPage{}, err
	}
	shards, err := s.shardsOf(ctx, queue)
	if err != nil {
		return inspect.TaskPage{}, err
	}
	places, err := s.places(ctx, shards, state)
	if err != nil {
		return inspect.TaskPage{}, err
	}
	r := pageReader{source: s, queue: queue, places: places, at: from, want: page.Size()}
	if err := r.read(ctx); err != nil {
		return inspect.TaskPage{}, fmt.Errorf("%s tasks of queue %s: %w", state, queue, err)
	}
	if err := s.addSent(ctx, r.tasks); err != nil {
		return inspect.TaskPage{}, err
	}
	return inspect.TaskPage{Tasks: r.tasks, Next: r.next()}, nil
}

// pageReader reads a page from several places, one after the other.
type pageReader struct {
	source *source
	queue  string
	places []place
	at     cursor
	want   int

	tasks           []inspect.Task
	bytes, examined int
}

func (r *pageReader) read(ctx context.Context) error {
	for r.at.place < len(r.places) && len(r.tasks) < r.want && r.bytes < pageBytes && r.examined < pageExamined {
		reading := reading{from: r.at.position, follow: r.at.follow, want: r.want - len(r.tasks), cut: inspect.MaxBody}
		got, err := r.source.read(ctx, &r.places[r.at.place], reading)
		if err != nil {
			return err
		}
		for _, e := range got.entries {
			r.add(e, got.length)
		}
		r.examined += max(len(got.entries), 1)
		if got.next >= got.length || len(got.entries) == 0 {
			r.at = cursor{place: r.at.place + 1, follow: unknownFollow}
			continue
		}
		r.at.position, r.at.follow = got.next, got.length-got.next
	}
	return nil
}

func (r *pageReader) add(e entry, length int) {
	task := r.source.taskOf(e)
	if task.Queue != r.queue || isDeletedMark(e.beginning) {
		return
	}
	r.source.listed.note(task.UUID, e, length)
	r.tasks = append(r.tasks, task)
	r.bytes += len(task.Body)
}

// next is the cursor of the page after this one.
func (r *pageReader) next() string {
	if r.at.place >= len(r.places) {
		return ""
	}
	return r.at.String()
}

// taskOf reads a task from a message, or from its beginning.
func (s *queueReader) taskOf(e entry) inspect.Task {
	task := inspect.Task{
		Queue:    queueOfShard(e.place.queue),
		State:    e.place.state,
		Body:     []byte(e.beginning),
		Size:     e.size,
		Worker:   e.place.worker,
		Attempts: e.failures,
		ETA:      e.place.scores.time(e.score),
	}
	var head messageHead
	if e.size > len(e.beginning) {
		head, task.Err = readHead(e.beginning), fmt.Errorf("%w: it has %d bytes", inspect.ErrLarge, e.size)
	} else if task.Signature, task.Err = delivery.DecodeWithin(task.Body, s.maxMessage); task.Err == nil {
		head = messageHead{task.Signature.UUID, task.Signature.Name, task.Signature.RoutingKey}
	}
	task.UUID, task.Name = head.UUID, head.Name
	task.Queue = cmp.Or(task.Queue, head.RoutingKey, s.defaultQueue)
	return task
}

// addSent adds when tasks were sent, where the backend has their states.
func (s *stateReader) addSent(ctx context.Context, tasks []inspect.Task) error {
	uuids := make([]string, len(tasks))
	for i, task := range tasks {
		uuids[i] = task.UUID
	}
	sent, err := s.sent(ctx, uuids)
	if err != nil {
		return err
	}
	for i := range tasks {
		tasks[i].Sent = sent[i]
	}
	return nil
}

// sent returns when tasks were sent, zero for those without a UUID or a state.
func (s *stateReader) sent(ctx context.Context, uuids []string) ([]time.Time, error) {
	sent := make([]time.Time, len(uuids))
	err := s.readStates(ctx, uuids, stateBeginning, func(i int, text string) {
		if state, err := stateOf(uuids[i], text, stateBeginning); err == nil {
			sent[i] = state.CreatedAt
		}
	})
	return sent, err
}
