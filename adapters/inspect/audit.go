package inspect

import (
	"context"
	"log/slog"
	"net/http"
)

// An action is something done to a queue, a task or a dead letter.
type action struct {
	name, queue, uuid, letter string
	// tried is the name of an action that was refused.
	tried string
	// state is that of the tasks that a bulk action is on.
	state State
	// count is how many letters a bulk action is on, done how many it was done to, and failed on how many of them it failed.
	count, done, failed int
	begun               bool // and not ended yet
}

// actionOf reads an action from a form.
func actionOf(r *http.Request) action {
	return action{
		name: r.PostFormValue("action"), queue: r.PostFormValue(queueParameter), uuid: r.PostFormValue(uuidParameter),
		letter: r.PostFormValue(letterParameter),
	}
}

// refusedAction is what somebody has tried who may not.
func refusedAction(w http.ResponseWriter, r *http.Request) action {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	did := actionOf(r)
	did.name, did.tried = "refused", did.name
	return did
}

// An auditor logs who did what.
type auditor struct {
	user   func(*http.Request) string
	logger *slog.Logger
}

// audit logs an action and how it went. Errors of sources have no values in them; the filter of a bulk action has, and
// is left out.
func (a *auditor) audit(r *http.Request, source string, did action, err error) {
	a.logAction(r.Context(), a.actor(r), source, did, err)
}

// actor returns who sent a request, and from where.
func (a *auditor) actor(r *http.Request) []slog.Attr {
	return []slog.Attr{slog.String("user", a.user(r)), slog.String("remote", r.RemoteAddr)}
}

func (a *auditor) logAction(ctx context.Context, actor []slog.Attr, source string, did action, err error) {
	attrs := append(actor[:len(actor):len(actor)], slog.String("action", did.name), slog.String("source", cut(source, maxName)))
	for _, known := range []struct{ key, value string }{
		{"tried", did.tried}, {"queue", did.queue}, {"uuid", did.uuid}, {"letter", did.letter}, {"state", string(did.state)},
	} {
		if known.value != "" {
			attrs = append(attrs, slog.String(known.key, cut(known.value, maxName)))
		}
	}
	if did.count > 0 {
		attrs = append(attrs, slog.Int("count", did.count))
		if !did.begun {
			attrs = append(attrs, slog.Int("done", did.done), slog.Int("failed", did.failed))
		}
	}
	level, result := slog.LevelInfo, "done"
	if did.begun {
		result = "begun"
	}
	if err != nil {
		level, result = slog.LevelWarn, "failed"
		attrs = append(attrs, slog.String("error", cut(err.Error(), maxText)))
	}
	a.logger.LogAttrs(ctx, level, "inspect: action", append(attrs, slog.String("result", result))...)
}
