package inspect

import (
	"context"
	"net/http"
	"net/url"
)

// The actions of the page, as forms name them and the audit log does.
const (
	deleteAction = "delete"
	runNowAction = "run-now"
	pauseAction  = "pause"
	resumeAction = "resume"
	replayAction = "replay"
	dropAction   = "drop"
)

// act does what a form asks for on one queue, task or dead letter.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, m *monitor) {
	did := actionOf(r)
	if _, known := notices[did.name]; !known {
		h.fail(w, r, notFound("There is no such action."))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	err := did.do(ctx, m.source)
	h.audit(r, m.name, did, err)
	if err != nil {
		h.fail(w, r, failureOf(err, did.subject()))
		return
	}
	m.poll(h.ctx) // for the next page to show what has changed, and for others, whether or not this browser is still there
	page, query := did.next(r)
	query.Set(doneParameter, did.name)
	redirect(w, r, page, query)
}

func (a action) do(ctx context.Context, source Source) error {
	switch a.name {
	case deleteAction:
		return source.Delete(ctx, a.uuid)
	case runNowAction:
		return source.RunNow(ctx, a.uuid)
	case pauseAction:
		return source.Pause(ctx, a.queue)
	case resumeAction:
		return source.Resume(ctx, a.queue)
	}
	letters, err := source.DeadLetters(a.queue)
	if err != nil {
		return err
	}
	if a.name == replayAction {
		return letters.Replay(ctx, a.letter)
	}
	return letters.Drop(ctx, a.letter)
}

// subject is what an action is on, for a sentence.
func (a action) subject() string {
	switch a.name {
	case deleteAction:
		return "task “" + cut(a.uuid, maxName) + "” that waits"
	case runNowAction:
		return "delayed task “" + cut(a.uuid, maxName) + "”"
	case replayAction, dropAction:
		return "dead letter “" + cut(a.letter, maxName) + "”"
	}
	return "queue “" + cut(a.queue, maxName) + "”"
}

// next is the page that follows an action: the overview where the form was on it, else what the action was on.
func (a action) next(r *http.Request) (page string, query url.Values) {
	of := url.PathEscape(r.PathValue("source")) + "/"
	switch {
	case r.PostFormValue("from") == "overview":
		return "", url.Values{}
	case a.name == replayAction || a.name == dropAction:
		return of + "dead", url.Values{queueParameter: {a.queue}}
	case a.name == runNowAction:
		return of + "task", url.Values{uuidParameter: {a.uuid}}
	}
	query = url.Values{queueParameter: {a.queue}}
	if state := r.PostFormValue(stateParameter); state != "" {
		query.Set(stateParameter, state)
	}
	return of + "queue", query
}
