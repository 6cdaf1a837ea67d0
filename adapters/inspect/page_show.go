package inspect

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Parameters of pages, beside the names of queues and the like.
const (
	queueParameter  = "queue"
	stateParameter  = "state"
	uuidParameter   = "uuid"
	letterParameter = "letter"
	cursorParameter = "cursor"
	filterParameter = "filter"
	doneParameter   = "done"
)

// notices are what a page says after an action, by the value of doneParameter.
var notices = map[string]string{
	deleteAction: "The task is deleted.",
	runNowAction: "The task waits to be run now.",
	pauseAction:  "The queue is paused. Tasks that run go on.",
	resumeAction: "The queue is resumed.",
	replayAction: "The task is sent again, and its dead letter is gone.",
	dropAction:   "The dead letter is dropped.",
}

// sourcePages are the pages of a source, by the last part of their paths.
func (h *Handler) sourcePages() map[string]loader {
	return map[string]loader{
		"queue": h.queuePage, "task": h.taskPage, "group": h.groupPage, "dead": h.deadPage, "letter": h.letterPage,
	}
}

// show shows a page of all sources, which comes from what the monitors know.
func (h *Handler) show(page func() content) http.HandlerFunc {
	return h.asViewer(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range h.monitors {
			m.awaitFirst(r.Context())
		}
		c := page()
		c.events = url.Values{}
		h.render(w, r, http.StatusOK, c)
	})
}

// searchTimeout is how long a page looks for a task before it is sent; then it goes on while somebody looks.
const searchTimeout = 120 * time.Millisecond

// liveHeader is sent by page.js when it was told of a change: it gets what was loaded for all who look.
const liveHeader = "X-Live"

// showOfSource shows a page of one source.
func (h *Handler) showOfSource(w http.ResponseWriter, r *http.Request, m *monitor) {
	page := r.URL.Path[len("/"+r.PathValue("source")+"/"):]
	query := eventsQuery(m, page, r.URL.Query())
	m.awaitFirst(r.Context())
	if status := m.status(); status.Down {
		h.render(w, r, http.StatusServiceUnavailable, content{template: "down", title: status.Name, data: status, events: query, reload: 5})
		return
	}
	c, err := h.contentOf(r, m, h.sourcePages()[page], query)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if r.URL.Query().Get(filterParameter) == "" {
		c.events = query
	}
	h.render(w, r, http.StatusOK, c)
}

func (h *Handler) contentOf(r *http.Request, m *monitor, load loader, query url.Values) (content, error) {
	if r.Header.Get(liveHeader) != "" {
		if c, known, err := m.loadedView(viewKey(query)); known {
			return c, err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	return load(ctx, m, ask{query, searchTimeout})
}

// overviewData is what the overview shows.
type overviewData struct {
	Charts  []chart
	Sources []sourceData
}

// sourceData is what pages of all sources show of one.
type sourceData struct {
	sourceStatus
	Asked      bool // whether it has answered or failed yet
	Queues     []Queue
	Workers    []Worker
	WorkersErr string
}

func (m *monitor) data() sourceData {
	latest := m.snapshot()
	data := sourceData{sourceStatus: m.status(), Asked: !latest.at.IsZero(), Queues: latest.queues, Workers: latest.workers}
	if latest.workersErr != nil {
		data.WorkersErr = sentence(latest.workersErr)
	}
	return data
}

func (all monitors) overviewPage() content {
	var data overviewData
	latest := 0
	for i, m := range all {
		data.Sources = append(data.Sources, m.data())
		if m.snapshot().at.After(all[latest].snapshot().at) {
			latest = i
		}
	}
	if len(all) > 0 {
		data.Charts = all.charts(all[latest].snapshot().at)
	}
	return content{template: "overview", title: "Overview", data: data}
}

func (all monitors) workersPage() content {
	var data []sourceData
	for _, m := range all {
		shown := m.data()
		shown.Workers = slices.Clone(shown.Workers)
		slices.SortStableFunc(shown.Workers, func(a, b Worker) int { return len(b.Running) - len(a.Running) })
		data = append(data, shown)
	}
	return content{template: "workers", title: "Workers", data: data}
}

// find leads to the task or group with a UUID, in whichever source it is.
func (h *Handler) find(w http.ResponseWriter, r *http.Request) {
	uuid := r.URL.Query().Get(uuidParameter)
	if uuid == "" {
		h.fail(w, r, notFound("Give the UUID of a task or of a group."))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	var failed error
	for _, m := range h.monitors {
		if m.status().Down {
			continue
		}
		page, err := m.pageOf(ctx, uuid)
		if page != "" {
			redirect(w, r, url.PathEscape(m.name)+"/"+page, url.Values{uuidParameter: {uuid}})
			return
		}
		failed = cmp.Or(failed, err)
	}
	if failed != nil {
		h.fail(w, r, failed)
		return
	}
	h.fail(w, r, notFound("No source has a task or a group with the UUID “"+cut(uuid, maxName)+"”. What ran long ago has expired."))
}

// pageOf returns the page that shows what has a UUID; empty where the source has no such thing, and with an error where
// it cannot be told.
func (m *monitor) pageOf(ctx context.Context, uuid string) (string, error) {
	_, stateErr := m.source.TaskState(ctx, uuid)
	if stateErr == nil {
		return "task", nil
	}
	_, groupErr := m.source.Group(ctx, uuid, Page{Limit: 1})
	if groupErr == nil {
		return "group", nil
	}
	_, taskErr := m.source.Task(ctx, uuid) // last: it takes longest
	if taskErr == nil {
		return "task", nil
	}
	return "", unexpected(stateErr, groupErr, taskErr)
}

// isMissing reports whether an error says that something is not there, or cannot be told.
func isMissing(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) }
