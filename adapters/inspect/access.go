package inspect

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// roleOf returns what the sender of a request may do.
func (h *Handler) roleOf(r *http.Request) Role {
	role := Viewer
	switch {
	case h.authorize != nil:
		role = h.authorize(r)
	case !h.readOnly && isFromHere(r):
		role = Operator
	case !h.readOnly:
		role = Denied
	}
	if h.readOnly {
		role = min(role, Viewer)
	}
	return role
}

// isFromHere reports whether a request comes from this machine and was meant for it: a page elsewhere whose name
// resolves to a loopback address has another Host, and what a proxy on this machine passes on is not from here. nginx
// says so only if told to, but speaks HTTP/1.0 unless told otherwise, which no browser does.
func isFromHere(r *http.Request) bool {
	for name := range r.Header {
		if isForwarding(name) {
			return false
		}
	}
	return r.ProtoAtLeast(1, 1) && isLoopback(r.RemoteAddr) && isLoopback(r.Host)
}

// isForwarding reports whether a header is one by which proxies say that a request is another's, such as X-Forwarded-For,
// X-Real-Ip or Cf-Connecting-Ip.
func isForwarding(name string) bool {
	return name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded") ||
		strings.HasPrefix(name, "X-Original-") || strings.HasPrefix(name, "X-Envoy-") || strings.HasSuffix(name, "-Ip")
}

// isLoopback reports whether an address, with or without a port, is a loopback address or localhost.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// contentSecurityPolicy lets pages use what the handler serves, and nothing else. Styles and scripts are never inline.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setSecurityHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	// With no-referrer, browsers send forms with the origin "null" where they have no Sec-Fetch-Site.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// asViewer lets those through who may look.
func (h *Handler) asViewer(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h.roleOf(r) < Viewer {
			h.fail(w, r, h.denial())
			return
		}
		next(w, r)
	}
}

func (h *Handler) denial() failure {
	if h.authorize == nil {
		return failure{http.StatusForbidden, "Only from this machine",
			"This page answers to localhost alone, without a proxy, until the application says who may see it: inspect.WithAuthorize."}
	}
	return failure{http.StatusForbidden, "Not for you", "You may not see this page."}
}

// A sourceHandler answers a request about one source.
type sourceHandler func(w http.ResponseWriter, r *http.Request, m *monitor)

// ofSource lets those through who may look, with the source that the path names.
func (h *Handler) ofSource(next sourceHandler) http.HandlerFunc {
	return h.asViewer(func(w http.ResponseWriter, r *http.Request) {
		m, err := h.monitors.named(r.PathValue("source"))
		if err != nil {
			h.fail(w, r, err)
			return
		}
		next(w, r, m)
	})
}

// asOperator lets those through who may act, and who meant to: no other site had their browser do it.
func (h *Handler) asOperator(next sourceHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if role := h.roleOf(r); role < Operator {
			h.audit(r, r.PathValue("source"), refusedAction(w, r), errNotOperator)
			h.fail(w, r, h.refusal(role))
			return
		}
		m, err := h.monitors.named(r.PathValue("source"))
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if err := h.checkForm(w, r); err != nil {
			h.audit(r, m.name, refusedAction(w, r), err)
			h.fail(w, r, failure{http.StatusForbidden, "Not done",
				"This form is not from this page, or is too old. Go back, reload the page, and try again."})
			return
		}
		next(w, r, m)
	}
}

// refusal is for who may not act.
func (h *Handler) refusal(role Role) failure {
	if role < Viewer {
		return h.denial()
	}
	return failure{http.StatusForbidden, "Read only", "You may look, but not change anything here."}
}
