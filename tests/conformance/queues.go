package conformance

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
)

var queueCases = []testCase{
	{name: "a worker serves a queue of its own", run: customQueue},
}

// customQueue has a fixture of its own: Machinery's AMQP broker binds the custom queue to the default queue's key too,
// and would do default tasks twice.
func customQueue(t *testing.T, shared *fixture) {
	f := newIdleFixture(t, shared.transport)
	queue := CustomQueue(f.workers.GetConfig())
	worker := f.workers.NewCustomQueueWorker("custom", 4, queue)
	f.worker.Attach(worker)
	f.launch(t, f.workers, worker)

	var calls atomic.Int32
	name := f.register(t, func(ctx context.Context, o Order) (string, Order, error) {
		if calls.Add(1) == 1 {
			return "", o, tasks.NewErrRetryTaskLater("busy", delay)
		}
		return tasks.SignatureFromContext(ctx).RoutingKey, o, nil
	})
	s := f.signature(t, name, order())
	s.RoutingKey = queue
	res := f.send(t, s)
	var servedBy string
	var received Order
	scan(t, f, res, &servedBy, &received)
	assert.Equal(t, queue, servedBy)
	assert.Equal(t, order(), received)
}
