package amqpadapter

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// maxRotated is how many dead letters a quorum queue may have to be listed: all of them are published anew for a page.
const maxRotated = 1000

// Letters returns a page of the dead letters of a queue, or of those of inspect.WithDeadLetters that came from it. It
// looks up to 1,000 deep, and at a quorum queue of up to 1,000 letters, which are published anew then: see DeadLetters.
// All else is inspect.ErrUnsupported; the methods of DeadLetters know no such bounds.
func (s *source) Letters(ctx context.Context, queue string, page inspect.Page) (inspect.LetterPage, error) {
	letters, err := s.lettersIn(ctx, queue, page)
	if err != nil {
		return inspect.LetterPage{}, fmt.Errorf("dead letters of queue %q: %w", queue, err)
	}
	return letters, nil
}

func (s *source) lettersIn(ctx context.Context, queue string, page inspect.Page) (inspect.LetterPage, error) {
	begin, err := page.Offset()
	if err != nil {
		return inspect.LetterPage{}, err
	}
	if err := s.check(ctx, queue); err != nil {
		return inspect.LetterPage{}, err
	}
	store, err := s.DeadLetters(queue)
	if err != nil {
		return inspect.LetterPage{}, err
	}
	shown := &letterWindow{window: window{begin: begin, size: page.Size()}}
	if s.SourceSettings.DeadLetters != nil {
		shown.queue = queue
	}
	if letters, ok := store.(*DeadLetters); ok {
		err = shown.readQueue(ctx, letters)
	} else {
		err = shown.readStore(ctx, store)
	}
	return inspect.LetterPage{Letters: shown.letters, Next: shown.cursor()}, err
}

// A letterWindow is a page of dead letters.
type letterWindow struct {
	window
	queue   string // whose letters are wanted; empty where all are
	letters []deadletter.Letter
}

// add goes on with a letter, and reports whether more are wanted.
func (w *letterWindow) add(letter deadletter.Letter) (more bool, err error) {
	if w.queue != "" && letter.Queue != w.queue {
		return true, nil
	}
	if w.has() {
		w.letters = append(w.letters, letter)
	}
	return w.next()
}

func (w *letterWindow) readQueue(ctx context.Context, d *DeadLetters) error {
	if err := d.checkLook(ctx); err != nil {
		return err
	}
	seen := 0
	return d.each(ctx, func(found amqp.Delivery) (bool, error) {
		more, err := w.add(listedLetter(found, d.topology.Load()))
		if seen++; err == nil && more && seen > maxBrowsed {
			return false, errTooDeep
		}
		return more, err
	})
}

// readStore goes through a store of another kind.
func (w *letterWindow) readStore(ctx context.Context, store deadletter.Store) error {
	for letter, err := range store.All(ctx) {
		if err != nil {
			return err
		}
		if len(letter.Body) > inspect.MaxBody {
			letter.Body = bytes.Clone(letter.Body[:inspect.MaxBody])
		}
		if more, err := w.add(letter); err != nil || !more {
			return err
		}
	}
	return nil
}

// checkLook returns inspect.ErrUnsupported where a look at a page would move too many letters.
func (d *DeadLetters) checkLook(ctx context.Context) error {
	n, err := d.count(ctx)
	if err != nil || n <= maxRotated {
		return err
	}
	kind, err := d.queue.publisher.queueType(ctx, d.queue.name)
	if err != nil || kind == amqp.QueueTypeClassic {
		return err
	}
	return unsupported("a " + kind + " queue shows its letters only by publishing all of them anew, and there are " + strconv.Itoa(n))
}

// listedLetter is a letter in a list.
func listedLetter(d amqp.Delivery, t *topology) deadletter.Letter {
	if len(d.Body) <= inspect.MaxBody {
		return newDeadLetter(d, t, inspect.MaxBody)
	}
	id := idOf(d)
	uuid, _ := namesIn(d.Body)
	d.Body = bytes.Clone(d.Body[:inspect.MaxBody]) // else the whole message stays in memory
	letter := newDeadLetter(d, t, inspect.MaxBody)
	letter.ID, letter.UUID = id, uuid
	return letter
}
