package inspect

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A Handler is a web page that shows what sources tell, and acts on it. See [NewHandler].
type Handler struct {
	describer
	auditor
	forms
	monitors  monitors
	authorize func(*http.Request) Role
	readOnly  bool

	routes  *http.ServeMux
	pages   *pages
	filters filters
	bulk    bulkRuns

	ctx    context.Context // until Close
	cancel context.CancelFunc
	// running are the goroutines: a monitor for each source, and a bulk action each.
	running sync.WaitGroup
}

// NewHandler returns a page on sources, of which each has a name of its own. Mount it at any path that ends in a slash,
// with http.StripPrefix; all its links are relative:
//
//	http.Handle("/inspect/", http.StripPrefix("/inspect", handler))
//
// With a registry, arguments and results are decoded as [envelope.Registry.Describe] does; without one, which is nil,
// the headers of envelopes and JSON payloads are shown as they stand.
//
// It answers only to requests from this machine, unless [WithAuthorize] says who may do what, or [WithReadOnly] that
// nobody may do anything. What a proxy passes on is not from this machine, if the proxy says so by one of the usual
// headers or speaks HTTP/1.0; behind one that does neither, WithAuthorize is needed.
//
// It asks each source for its queues and workers every 10 s, to draw the last hour, and every 2 s while somebody looks,
// once for all who do; a source that costs much less often, down to once in two minutes: see
// [CommandCounter]. What somebody opens or does is asked at once. [Handler.Close] ends that.
func NewHandler(registry *envelope.Registry, sources []Source, opts ...HandlerOption) *Handler {
	h := &Handler{
		describer: describer{registry},
		auditor:   auditor{user: func(*http.Request) string { return "" }, logger: slog.Default()},
		forms:     forms{crossOrigin: http.NewCrossOriginProtection(), key: make([]byte, 32)},
		pages:     loadPages(),
	}
	for _, opt := range opts {
		opt(h)
	}
	_, _ = rand.Read(h.key) // it never fails
	h.ctx, h.cancel = context.WithCancel(context.Background())
	names := map[string]bool{}
	for _, source := range sources {
		m := newMonitor(source, unusedName(names, source.Name()))
		h.monitors = append(h.monitors, m)
		h.running.Go(func() { m.run(h.ctx) })
	}
	h.routes = h.newRoutes()
	return h
}

// unusedName numbers sources that have the name of one before them.
func unusedName(used map[string]bool, name string) string {
	unused := name
	for n := 2; used[unused]; n++ {
		unused = name + "-" + strconv.Itoa(n)
	}
	used[unused] = true
	return unused
}

// Close ends what the handler does by itself, open live updates, and bulk actions that are under way, and waits for
// that. Call it before http.Server's Shutdown, which waits for live updates, or with its RegisterOnShutdown. It returns
// nil.
func (h *Handler) Close() error {
	h.cancel()
	h.running.Wait()
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	if r.URL.Path == "" {
		redirectToSlash(w, r)
		return
	}
	h.routes.ServeHTTP(w, r)
}

func (h *Handler) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for name, kind := range assetTypes {
		mux.HandleFunc("GET /"+name, serveAsset(name, kind))
	}
	mux.HandleFunc("GET /{$}", h.show(h.monitors.overviewPage))
	mux.HandleFunc("GET /workers", h.show(h.monitors.workersPage))
	mux.HandleFunc("GET /find", h.asViewer(h.find))
	mux.HandleFunc("GET /events", h.asViewer(h.events))
	for name := range h.sourcePages() {
		mux.HandleFunc("GET /{source}/"+name, h.ofSource(h.showOfSource))
	}
	mux.HandleFunc("GET /{source}/bulk", h.ofSource(h.showBulk))
	mux.HandleFunc("POST /{source}/filter", h.ofSource(h.setFilter))
	mux.HandleFunc("POST /{source}/act", h.asOperator(h.act))
	mux.HandleFunc("POST /{source}/bulk", h.asOperator(h.startBulk))
	mux.HandleFunc("POST /{source}/bulk/{step}", h.asOperator(h.continueBulk))
	mux.HandleFunc("/", h.asViewer(func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, notFound("There is no such page."))
	}))
	return mux
}
