package inspect

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
)

// bulkData is what the page of a bulk action shows.
type bulkData struct {
	Source, ID, Queue string
	Action            string
	Verb, Done        string // "Replay", "replayed"
	Noun              string // what it is on
	Filter            string
	Phase             bulkPhase
	Counted           Selection
	Progress          Progress
	Failures          []detail
	More              int // failures that are not listed
	Error             string
	Back              template.URL // leads to the list
}

const idParameter = "id"

// verbs are what pages call the actions.
var verbs = map[string][2]string{
	replayAction: {"Replay", "replayed"}, dropAction: {"Drop", "dropped"},
	deleteAction: {"Delete", "deleted"}, runNowAction: {"Run now", "sent to run now"},
}

// startBulk begins to count what an action would be on.
func (h *Handler) startBulk(w http.ResponseWriter, r *http.Request, m *monitor) {
	did := action{
		name: r.PostFormValue("action"), queue: r.PostFormValue(queueParameter), state: State(r.PostFormValue(stateParameter)),
	}
	if _, known := m.snapshot().queue(did.queue); !known || !isBulk(did.name, did.state) {
		h.fail(w, r, notFound("There is no such queue, or no such action on all of it."))
		return
	}
	filter, err := h.filters.get(r.PostFormValue(filterParameter))
	if err == nil && filter.err != nil {
		err = failure{http.StatusBadRequest, "Unreadable filter", sentence(filter.err)}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	run := newBulkRun(h.ctx, m.name, did, filter, h.actor(r))
	if err := h.bulk.add(run); err != nil {
		run.cancel()
		h.fail(w, r, failure{http.StatusTooManyRequests, "Not now", "Too many bulk actions are under way: wait for one to end."})
		return
	}
	h.running.Go(func() { h.count(run.ctx, m, run) })
	redirect(w, r, url.PathEscape(m.name)+"/bulk", url.Values{idParameter: {run.id}})
}

func isBulk(name string, state State) bool {
	switch name {
	case replayAction, dropAction:
		return state == ""
	case runNowAction:
		return state == Delayed
	case deleteAction:
		return state == Waiting || state == Delayed || state == PutBack
	}
	return false
}

// continueBulk carries out what was counted, or stops it.
func (h *Handler) continueBulk(w http.ResponseWriter, r *http.Request, m *monitor) {
	run, err := h.bulk.get(m.name, r.PostFormValue(idParameter))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	switch r.PathValue("step") {
	case "go":
		if run.begin() {
			run.actor = h.actor(r)
			h.running.Go(func() { h.carry(run.ctx, run) })
		}
	case "stop":
		run.stop()
	default:
		h.fail(w, r, notFound("There is no such step."))
		return
	}
	redirect(w, r, url.PathEscape(m.name)+"/bulk", url.Values{idParameter: {run.id}})
}

// stop ends a run, also one that waits.
func (b *bulkRun) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancel()
	if b.phase == counted {
		b.end(Outcome{}, context.Canceled)
	}
}

func (h *Handler) showBulk(w http.ResponseWriter, r *http.Request, m *monitor) {
	run, err := h.bulk.get(m.name, r.URL.Query().Get(idParameter))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	data := run.data(m.name)
	shown := content{template: "bulk", title: data.Verb + " " + data.Noun, data: data}
	if data.Phase == counting || data.Phase == acting {
		shown.events, shown.reload = url.Values{}, 2
	}
	h.render(w, r, http.StatusOK, shown)
}

func (b *bulkRun) data(source string) bulkData {
	b.mu.Lock()
	defer b.mu.Unlock()
	data := bulkData{
		Source: source, ID: b.id, Queue: cut(b.action.queue, maxName), Action: b.action.name,
		Verb: verbs[b.action.name][0], Done: verbs[b.action.name][1], Noun: "dead letters",
		Filter: cut(b.filter.text, maxText), Phase: b.phase, Counted: b.counted, Progress: b.progress,
	}
	data.Back = "dead?" + encoded(url.Values{queueParameter: {b.action.queue}})
	if b.action.state != "" {
		data.Noun = "tasks"
		data.Back = "queue?" + encoded(url.Values{queueParameter: {b.action.queue}, stateParameter: {string(b.action.state)}})
	}
	switch {
	case errors.Is(b.err, context.Canceled):
		data.Error = "It was stopped."
	case b.err != nil:
		data.Error = sentence(b.err)
	}
	const listed = 100
	for _, failed := range b.outcome.Failures[:min(len(b.outcome.Failures), listed)] {
		data.Failures = append(data.Failures, detail{cut(failed.ID, maxName), sentence(failed.Err)})
	}
	data.More = b.outcome.Failed - len(data.Failures)
	return data
}
