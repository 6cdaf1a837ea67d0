package middleware

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// SendTasks publishes tasks that do not depend on each other, and returns their results in the order given. Where the
// broker is a ManyPublisher, as those of both adapters are, it sends them in batches, which is many times faster than one
// by one; elsewhere one by one. Each is sent as SendTask would: with its own UUID, ETA and priority, past the pre-publish
// handler, which must not send the tasks itself.
//
// All arguments are put in envelopes, and signed, before the first task is sent: where one task is refused, nothing is
// sent. (Where a broker of the application's decorates the middleware's, each is signed as it is sent.) Where the broker
// refuses a task or cannot be reached, or ctx ends, the others are sent all the same, and their results are returned
// beside the error: a result is nil where its task was not sent, and there are none where nothing was. In each of these
// cases the error wraps a *SendError, which names the tasks. As with a single task, one whose error is that of ctx or of
// the network may have been sent all the same; and a broker that loses the reply to a batch may send all of it again, so
// that tasks run twice though there is no error.
//
// A task that is given twice, or another of the same UUID, is refused with ErrSameTask. No tasks are no error.
func (m *Middleware) SendTasks(ctx context.Context, signatures ...*tasks.Signature) ([]*result.AsyncResult, error) {
	results, err := sendTasks(ctx, m, signatures)
	if err != nil {
		return results, fmt.Errorf("send tasks: %w", err)
	}
	return results, nil
}

func sendTasks(ctx context.Context, m *Middleware, signatures []*tasks.Signature) ([]*result.AsyncResult, error) {
	for _, check := range []func() error{ctx.Err, m.checkBroker, m.checkBackend} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if err := checkDistinct(signatures); err != nil {
		return nil, err
	}
	if !isDirect(m) {
		return sendEach(ctx, m, signatures)
	}
	return sendBatch(ctx, m, signatures)
}

// checkDistinct refuses what cannot be sent as so many tasks.
func checkDistinct(signatures []*tasks.Signature) error {
	given := make(map[*tasks.Signature]bool, len(signatures))
	uuids := make(map[string]bool, len(signatures))
	for i, s := range signatures {
		if s == nil {
			return refused(i, s, errNoSignature)
		}
		if given[s] || s.UUID != "" && uuids[s.UUID] {
			return refused(i, s, ErrSameTask)
		}
		given[s], uuids[s.UUID] = true, true
	}
	return nil
}

// sendBatch has Machinery send each task, into a batch.
func sendBatch(ctx context.Context, m *Middleware, signatures []*tasks.Signature) ([]*result.AsyncResult, error) {
	all := gather(m, signatures)
	defer all.dissolve()
	results := make([]*result.AsyncResult, len(signatures))
	for i, s := range signatures {
		var err error
		if results[i], err = m.server.SendTaskWithContext(all.with(ctx), s); err == nil {
			err = all.tasks[i].err
		}
		if err != nil {
			reason := refused(i, s, err)
			all.giveUp(reason)
			return nil, reason
		}
	}
	return sentOf(results, all.send(ctx))
}

// sendEach sends tasks one by one, through a broker of the application's that decorates the middleware's.
func sendEach(ctx context.Context, m *Middleware, signatures []*tasks.Signature) ([]*result.AsyncResult, error) {
	for i, s := range signatures {
		if _, err := m.packSignature(ctx, s, markTrusted); err != nil {
			return nil, refused(i, s, err)
		}
	}
	results, errs := make([]*result.AsyncResult, len(signatures)), make([]error, len(signatures))
	for i, s := range signatures {
		if errs[i] = ctx.Err(); errs[i] == nil {
			results[i], errs[i] = m.SendTask(ctx, s)
		}
	}
	return results, sendError(signatures, errs)
}

// sentOf leaves out the results of tasks that were not sent, all where none was.
func sentOf(results []*result.AsyncResult, err error) ([]*result.AsyncResult, error) {
	failure, ok := err.(*SendError)
	if !ok {
		return results, err
	}
	if failure.Sent == 0 {
		return nil, err
	}
	for _, failed := range failure.Failed {
		results[failed.Index] = nil
	}
	return results, err
}
