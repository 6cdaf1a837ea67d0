package redisadapter

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// Tasks that are sent together go in batches of at most so many, and so many bytes: one that is lost is sent again as a
// whole, and Redis serves nobody else meanwhile. A message longer than that goes alone.
const (
	maxBatch        = 256
	maxBatchBytes   = 1 << 20
	maxBatchMessage = 256 << 10
)

// PublishMany sends a batch in one round trip, and the states PENDING with it where they are left to it.
func (b *broker) PublishMany(ctx context.Context, signatures []*tasks.Signature) []error {
	many := &manySends{broker: b, ctx: ctx, errs: make([]error, len(signatures))}
	pending := make([]*announcement, len(signatures))
	for i, s := range signatures { // of all at once: they do not wait for long
		pending[i] = b.takeAnnounced(ctx, s)
	}
	for i, s := range signatures {
		many.add(batchTask{place: i, signature: s, pending: pending[i]})
	}
	many.flush()
	return many.errs
}

// manySends are the tasks of one PublishMany.
type manySends struct {
	*broker
	ctx    context.Context
	errs   []error
	batch  []batchTask
	bytes  int
	gaveUp error // why what is left is not sent
}

// A batchTask is a task that is sent with others.
type batchTask struct {
	place     int // among all
	signature *tasks.Signature
	body      []byte
	pending   *announcement // nil where its state is not to be written
}

func (many *manySends) add(t batchTask) {
	if err := many.stopped(); err != nil {
		many.fail(t, err)
		return
	}
	var err error
	if t.body, err = many.encode(t.signature); err != nil {
		many.errs[t.place] = err
		return
	}
	if len(t.body) > maxBatchMessage {
		many.flush()
		many.sendAlone(t)
		return
	}
	if many.bytes+len(t.body) > maxBatchBytes || len(many.batch) == maxBatch {
		many.flush()
	}
	many.batch, many.bytes = append(many.batch, t), many.bytes+len(t.body)
}

// stopped returns why nothing more is to be sent: each batch would have to wait as long for a Redis that is away.
func (many *manySends) stopped() error {
	if many.gaveUp != nil {
		return many.gaveUp
	}
	if err := many.ctx.Err(); err != nil {
		return err
	}
	return many.usable()
}

func (many *manySends) fail(t batchTask, err error) {
	many.errs[t.place] = fmt.Errorf("publish task %s: %w", t.signature.Name, err)
}

func (many *manySends) sendAlone(t batchTask) {
	if err := many.stopped(); err != nil {
		many.fail(t, err)
		return
	}
	err := retry(many.ctx, many.settings.publishTimeout, func() error {
		return many.push(many.ctx, t.signature, t.body, t.pending)
	})
	if err != nil {
		many.fail(t, err)
		many.giveUp(err)
	}
}

func (many *manySends) giveUp(err error) {
	if isOutage(err) {
		many.gaveUp = err
	}
}

// flush sends the batch, and again what Redis could not be reached for.
func (many *manySends) flush() {
	if len(many.batch) == 0 {
		return
	}
	left := commandsOf(many.delayed, many.batch)
	many.batch, many.bytes = nil, 0
	err := many.stopped()
	if err == nil {
		err = retry(many.ctx, many.settings.publishTimeout, func() (err error) {
			left, err = many.run(left)
			return err
		})
		many.giveUp(err)
	}
	for _, c := range left {
		for _, t := range c.tasks {
			many.fail(t, err)
		}
	}
}

// run sends commands, and returns what may be sent again, and why it could not be sent.
func (many *manySends) run(commands []*batchCommand) (left []*batchCommand, err error) {
	replies := make([]*redis.Cmd, len(commands))
	_, _ = many.client.Pipelined(many.ctx, func(pipe redis.Pipeliner) error {
		for i, c := range commands {
			replies[i] = c.send(many.ctx, pipe)
		}
		return nil
	})
	for i, c := range commands {
		switch failure := replies[i].Err(); {
		case failure == nil:
		case isOutage(failure):
			left, err = append(left, c), failure
		default:
			for _, t := range c.tasks {
				many.fail(t, failure)
			}
		}
	}
	return left, err
}
