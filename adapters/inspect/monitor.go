package inspect

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// watchedInterval is how often a source is asked for its queues and workers, at most, while somebody looks or it does
	// not answer, and unwatchedInterval while nobody does.
	watchedInterval   = 2 * time.Second
	unwatchedInterval = 10 * time.Second
	// askTimeout is how long a source may take to answer.
	askTimeout = 5 * time.Second
	// snapshotCalls is how many questions a snapshot takes.
	snapshotCalls = 2
)

// A monitor watches one source for all who look at it.
type monitor struct {
	source Source
	name   string
	// first is closed when the source was asked for the first time.
	first chan struct{}
	// wake tells run that somebody looks.
	wake chan struct{}

	mu      sync.Mutex
	latest  snapshot
	history history
	// watchers are those who look, and views what they look at besides queues and workers.
	watchers map[*watcher]bool
	views    map[string]*liveView
}

// A snapshot is what a source said last.
type snapshot struct {
	queues  []Queue
	workers []Worker
	// workersErr is why there are no workers.
	workersErr error
	// err is why the source does not answer, and since when.
	err   error
	since time.Time
	// at is when it was asked; zero before the first answer.
	at time.Time
}

// queue returns the queue with a name.
func (s snapshot) queue(name string) (Queue, bool) {
	i := slices.IndexFunc(s.queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return Queue{}, false
	}
	return s.queues[i], true
}

func newMonitor(source Source, name string) *monitor {
	return &monitor{
		source: source, name: name, first: make(chan struct{}), wake: make(chan struct{}, 1),
		watchers: map[*watcher]bool{}, views: map[string]*liveView{},
	}
}

// run asks the source until the context ends.
func (m *monitor) run(ctx context.Context) {
	pace := paceOf(m.source)
	m.poll(ctx)
	close(m.first)
	for m.wait(ctx, pace.rest(snapshotCalls+m.refreshOldest(ctx))) {
		m.poll(ctx)
	}
}

// wait waits for as long as the source is to be left alone, and until there is a reason to ask it. It reports false
// where the context ends.
func (m *monitor) wait(ctx context.Context, rest time.Duration) bool {
	least := max(watchedInterval, rest)
	select {
	case <-time.After(least):
	case <-ctx.Done():
		return false
	}
	if m.isWatched() || m.snapshot().err != nil {
		return true
	}
	select {
	case <-time.After(unwatchedInterval - min(least, unwatchedInterval)):
	case <-m.wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// poll asks the source for its queues and workers.
func (m *monitor) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	next := snapshot{at: time.Now()}
	next.queues, next.err = m.source.Queues(ctx)
	if next.err == nil {
		next.workers, next.workersErr = m.source.Workers(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if next.at.Before(m.latest.at) {
		return // somebody has acted, and asked the source meanwhile
	}
	if next.err != nil {
		next.queues, next.workers = m.latest.queues, nil
		if next.since = m.latest.since; m.latest.err == nil {
			next.since = next.at
		}
	} else {
		m.history.add(sampleOf(next))
	}
	changed := (next.err == nil) != (m.latest.err == nil)
	m.latest = next
	for w := range m.watchers {
		if changed || w.key == "" {
			w.notify()
		}
	}
}

func (m *monitor) snapshot() snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest
}

// lastHour returns the samples of the last hour.
func (m *monitor) lastHour() []sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.history.since(time.Now().Add(-time.Hour))
}

// awaitFirst waits a moment for the first answer of the source, which a handler that was just made has not got.
func (m *monitor) awaitFirst(ctx context.Context) {
	const moment = 150 * time.Millisecond
	select {
	case <-m.first:
	case <-time.After(moment):
	case <-ctx.Done():
	}
}

// monitors are those of all sources.
type monitors []*monitor

// named returns the monitor of the source with a name, or a failure.
func (all monitors) named(name string) (*monitor, error) {
	for _, m := range all {
		if m.name == name {
			return m, nil
		}
	}
	return nil, notFound(fmt.Sprintf("There is no source %q.", cut(name, maxName)))
}
