package inspect

import (
	"log/slog"
	"net/http"
)

// A HandlerOption changes what [NewHandler] returns.
type HandlerOption func(*Handler)

// A Role is what somebody may do with a [Handler].
type Role int

const (
	// Denied may see nothing.
	Denied Role = iota
	// Viewer may see everything, and change nothing.
	Viewer
	// Operator may also act: delete, run now, pause, resume, replay and drop.
	Operator
)

// WithAuthorize has role say, for each request, what its sender may do. Authentication is the application's: what role
// looks at, such as a session or a client certificate, was checked by it. A nil role denies everything.
func WithAuthorize(role func(*http.Request) Role) HandlerOption {
	return func(h *Handler) {
		h.authorize = func(r *http.Request) Role {
			if role == nil {
				return Denied
			}
			return role(r)
		}
	}
}

// WithReadOnly lets nobody act, whatever WithAuthorize says. Without WithAuthorize, everybody who reaches the handler
// may see everything: also from other machines, and web pages from elsewhere whose name resolves to the handler's address.
func WithReadOnly() HandlerOption { return func(h *Handler) { h.readOnly = true } }

// WithUser has name say who sent a request, for the audit log. Without it, the log has the address alone.
func WithUser(name func(*http.Request) string) HandlerOption {
	return func(h *Handler) {
		if name != nil {
			h.user = name
		}
	}
}

// WithLogger has the audit log written to logger, in place of slog.Default(): an entry for every action, and for every
// one that is refused, with who, from where, what, on which queue and task, and how it went. It never has a value of an
// argument. A bulk action has two entries, when it begins and when it has ended.
func WithLogger(logger *slog.Logger) HandlerOption {
	return func(h *Handler) {
		if logger != nil {
			h.logger = logger
		}
	}
}
