package otelmiddleware

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// maxLabels bounds the memory that metrics take: whoever sends messages chooses queues.
	maxLabels = 1000
	// otherQueue stands for the queues that are too many.
	otherQueue = "_other"
)

// pair is what measurements are told apart by.
type pair struct{ task, queue string }

// labels are the attributes of a pair, as instruments take them. To make them costs more than to record with them.
type labels struct {
	pair
	sent     []metric.AddOption
	received []metric.RecordOption
	ended    map[middleware.Outcome][]metric.RecordOption
}

// labelTable remembers the labels of pairs.
type labelTable struct {
	mu    sync.RWMutex
	known map[pair]*labels
}

func (t *labelTable) of(task middleware.TaskObservation) *labels {
	p := pair{task.Task, task.Queue}
	t.mu.RLock()
	known, full := t.known[p], len(t.known) >= maxLabels
	t.mu.RUnlock()
	if known != nil {
		return known
	}
	if full && p.queue != otherQueue {
		task.Queue = otherQueue
		return t.of(task)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[pair]*labels)
	}
	t.known[p] = newLabels(p)
	return t.known[p]
}

func newLabels(p pair) *labels {
	l := &labels{pair: p, ended: make(map[middleware.Outcome][]metric.RecordOption)}
	l.sent = []metric.AddOption{metric.WithAttributeSet(l.with("send"))}
	l.received = []metric.RecordOption{metric.WithAttributeSet(l.with("process"))}
	for _, o := range []middleware.Outcome{middleware.Succeeded, middleware.Retried, middleware.Failed} {
		l.ended[o] = []metric.RecordOption{metric.WithAttributeSet(l.with("process", outcomeKey.String(string(o))))}
	}
	return l
}

// with returns the attributes of the pair and an operation, and more.
func (p pair) with(operation string, more ...attribute.KeyValue) attribute.Set {
	return attribute.NewSet(append(more, systemKey.String(system), operationKey.String(operation),
		destinationKey.String(p.queue), taskKey.String(p.task))...)
}
