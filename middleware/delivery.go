package middleware

import (
	"context"
	"reflect"
	"sync"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A delivery is a signature that is being processed: as it was received, its
// arguments, restored once, and what became of the task.
type delivery struct {
	m        *Middleware
	task     *task // nil for a task that was not registered through the middleware
	pristine pristine
	context  context.Context
	once     sync.Once
	args     []reflect.Value  // the context comes first
	few      [4]reflect.Value // holds args where it has room: most tasks take few
	err      error
	// failure is the error of the task, when it will not be retried.
	failure error
}

// deliveries are those of wrapped tasks. Handlers that ask for them have nothing
// but the signature.
var deliveries = deliveryTable{bySignature: make(map[*tasks.Signature]*delivery)}

// A deliveryTable costs less than a sync.Map where each key is stored and deleted
// once.
type deliveryTable struct {
	mu          sync.RWMutex
	bySignature map[*tasks.Signature]*delivery
}

func (t *deliveryTable) begin(s *tasks.Signature, d *delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bySignature[s] = d
}

func (t *deliveryTable) end(s *tasks.Signature) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bySignature, s)
}

// of returns nil for a signature that is not being processed.
func (t *deliveryTable) of(s *tasks.Signature) *delivery {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.bySignature[s]
}
