package inspect

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// A watcher is somebody who looks at a page.
type watcher struct {
	// key is that of the view; empty for pages that show queues and workers alone.
	key     string
	changed chan struct{}
}

// notify has a watcher look again. It never waits.
func (w *watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// A loader gets what a page shows from its source.
type loader func(ctx context.Context, m *monitor, asked ask) (content, error)

// An ask is what a page is asked for.
type ask struct {
	query url.Values
	// search is how long the page may look for a task in the queues, which takes long where many wait.
	search time.Duration
}

// A liveView is a page of a source that somebody looks at. It is loaded once for all who do.
type liveView struct {
	load   loader
	query  url.Values
	loaded time.Time // zero before the first time
	// due is when it may be loaded again.
	due     time.Time
	content content
	err     error
}

// watch registers somebody who looks, at queues and workers where load is nil. The caller calls the function that it
// returns when they no longer do.
func (m *monitor) watch(w *watcher, load loader, query url.Values) (stop func()) {
	m.mu.Lock()
	m.watchers[w] = true
	if load != nil && m.views[w.key] == nil {
		m.views[w.key] = &liveView{load: load, query: query}
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return func() { m.unwatch(w) }
}

func (m *monitor) unwatch(w *watcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, w)
	for other := range m.watchers {
		if other.key == w.key {
			return
		}
	}
	delete(m.views, w.key)
}

func (m *monitor) isWatched() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watchers) > 0
}

// oldest returns the view that was loaded longest ago, of those that may be loaded again.
func (m *monitor) oldest() (key string, v *liveView) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest.err != nil {
		return "", nil
	}
	now := time.Now()
	for candidate, view := range m.views {
		if !view.due.After(now) && (v == nil || view.loaded.Before(v.loaded)) {
			key, v = candidate, view
		}
	}
	return key, v
}

// restFactor is how many times longer than a view took to load it is left alone: looking for a task in a long queue takes
// a server many commands.
const restFactor = 50

// refreshOldest loads the view that was loaded longest ago, tells those who look at it, and returns how many questions
// that took.
func (m *monitor) refreshOldest(ctx context.Context) int {
	key, v := m.oldest()
	if v == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	start := time.Now()
	loaded, err := v.load(ctx, m, ask{v.query, askTimeout})
	m.mu.Lock()
	defer m.mu.Unlock()
	v.content, v.err, v.loaded = loaded, err, time.Now()
	v.due = v.loaded.Add(restFactor * v.loaded.Sub(start))
	for w := range m.watchers {
		if w.key == key {
			w.notify()
		}
	}
	return max(1, loaded.calls)
}

// loadedView returns what a view showed last; false where nobody watches it.
func (m *monitor) loadedView(key string) (content, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.views[key]
	if v == nil || v.loaded.IsZero() {
		return content{}, false, nil
	}
	return v.content, true, v.err
}

const (
	// heartbeat is how often an open connection says that it is alive, for proxies not to close it.
	heartbeat = 15 * time.Second
	// maxWatchers is how many connections a source is watched by at most.
	maxWatchers = 1000
)

// events tells a browser whenever its page may have changed, until it goes away. The page itself it then gets as
// before, which asks the source nothing.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	watcher := &watcher{changed: make(chan struct{}, 1)}
	stop, err := h.watch(watcher, r.URL.Query())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer stop()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // not all can; the browser comes again
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	const hello = ": here\n\n"
	for event := hello; event != ""; event = h.nextEvent(r.Context(), watcher) {
		if _, err := w.Write([]byte(event)); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
	}
}

// nextEvent waits for something to tell; it is empty at the end.
func (h *Handler) nextEvent(ctx context.Context, w *watcher) string {
	select {
	case <-w.changed:
		return "event: changed\ndata:\n\n"
	case <-time.After(heartbeat):
		return ": still here\n\n"
	case <-ctx.Done():
	case <-h.ctx.Done():
	}
	return ""
}

// watch registers a watcher with the monitors of what its page shows.
func (h *Handler) watch(w *watcher, query url.Values) (stop func(), err error) {
	watched := h.monitors
	var load loader
	if name := query.Get(sourceParameter); name != "" {
		m, err := h.monitors.named(name)
		if err != nil {
			return nil, err
		}
		page, known := h.sourcePages()[query.Get(pageParameter)]
		if !known {
			return nil, notFound("There is no such page.")
		}
		query = eventsQuery(m, query.Get(pageParameter), query)
		watched, load, w.key = []*monitor{m}, page, viewKey(query)
	}
	for _, m := range watched {
		if m.isFull() {
			return nil, failure{http.StatusServiceUnavailable, "Too many look", "Too many browsers look at this page: reload to see changes."}
		}
	}
	var stops []func()
	for _, m := range watched {
		stops = append(stops, m.watch(w, load, query))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}, nil
}

func (m *monitor) isFull() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watchers) >= maxWatchers
}

// Parameters of events, beside those of the page that is watched.
const (
	sourceParameter = "on"
	pageParameter   = "page"
)

// viewKey is the same for all who look at the same page.
func viewKey(query url.Values) string { return query.Encode() }

// eventsQuery is the query of the events of a page of a source.
func eventsQuery(m *monitor, page string, query url.Values) url.Values {
	watched := url.Values{sourceParameter: {m.name}, pageParameter: {page}}
	for _, name := range []string{queueParameter, stateParameter, uuidParameter, letterParameter, cursorParameter, filterParameter} {
		if query.Has(name) {
			watched.Set(name, query.Get(name))
		}
	}
	return watched
}
