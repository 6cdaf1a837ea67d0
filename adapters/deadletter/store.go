package deadletter

import (
	"context"
	"errors"
	"iter"

	"github.com/RichardKnop/machinery/v2/tasks"
)

var (
	// ErrNotFound is returned where no dead letter has the ID.
	ErrNotFound = errors.New("no dead letter with this ID")
	// ErrNoTask is returned for replaying a letter whose Body is no task, and is the reason of such letters. They would
	// only come back.
	ErrNoTask = errors.New("message is no task")
	// ErrUnknownQueue is returned for replaying a letter whose task belongs to no queue, or to one that the deployment
	// does not know.
	ErrUnknownQueue = errors.New("queue is not known")
	// ErrRefused is returned for replaying a letter whose task the store was told not to send, because a worker would
	// refuse it: see the adapter's WithVerify.
	ErrRefused = errors.New("task is refused")
)

// A Store keeps dead letters. Any number of processes may use the same letters at once. Every method returns the
// errors of the server too, wrapped.
type Store interface {
	// Push keeps a task and the reason why it is here. It implements middleware.DeadLetters.
	Push(ctx context.Context, s *tasks.Signature, reason error) error
	// Get returns one letter, or ErrNotFound.
	Get(ctx context.Context, id string) (Letter, error)
	// All goes through the letters that are there when it begins, oldest first. An error ends it, and comes last with
	// an empty Letter. No letters are no error.
	All(ctx context.Context) iter.Seq2[Letter, error]
	// Count returns how many letters there are.
	Count(ctx context.Context) (int, error)
	// Replay sends the task of a letter again and removes the letter. The task is sent as it was sent at first, to its
	// queue, to run now: without what was counted meanwhile, and without an ETA that has passed. Where the server fails
	// in between, the task is sent and its letter stays.
	//
	// Replay writes no state: a task that had failed stays in FAILURE until a worker writes another state, with the
	// backend of package redisadapter until it has succeeded, and an Await before that returns the old failure. The
	// callback of a chord may not be called when a member that had failed is replayed: send the whole chord again.
	//
	// It returns ErrNotFound, ErrNoTask, ErrUnknownQueue or ErrRefused; the letter stays then.
	Replay(ctx context.Context, id string) error
	// ReplayAll replays the letters that are there when it begins, oldest first, and returns how many. It goes on past
	// a letter that cannot be replayed, and joins the errors.
	ReplayAll(ctx context.Context) (replayed int, err error)
	// Drop removes one letter, or returns ErrNotFound.
	Drop(ctx context.Context, id string) error
	// DropAll removes the letters that are there when it begins and returns how many.
	DropAll(ctx context.Context) (dropped int, err error)
}
