package inspect

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

//go:embed page
var pageFiles embed.FS

// assetTypes are the files that pages use, with their media types.
var assetTypes = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"page.js":   "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

func serveAsset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			http.Error(w, "no such file", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "private, max-age=300")
		_, _ = w.Write(body)
	}
}

// pages are the templates, by the name of their file.
type pages struct{ byName map[string]*template.Template }

var parsed struct {
	once  sync.Once
	pages pages
}

// loadPages parses the templates when the first handler is made, and not in a variable: programs without a handler have
// no html/template in them.
func loadPages() *pages {
	parsed.once.Do(func() { parsed.pages = parsePages() })
	return &parsed.pages
}

func parsePages() pages {
	base := template.Must(template.New("base").Funcs(templateFuncs()).ParseFS(pageFiles, "page/base.html", "page/parts.html"))
	all := pages{byName: map[string]*template.Template{}}
	for _, name := range []string{
		"overview", "queue", "task", "group", "dead", "letter", "workers", "bulk", "failure", "down",
	} {
		all.byName[name] = template.Must(template.Must(base.Clone()).ParseFS(pageFiles, "page/"+name+".html"))
	}
	return all
}

// A content is what a page shows, whoever looks.
type content struct {
	template, title string
	data            any
	// events is the query under which changes of the page are told; empty for a page that never changes.
	events url.Values
	// reload has browsers without scripts load the page again every so many seconds, where that is not 0.
	reload int
	// calls is how many questions to the source it took.
	calls int
}

// A frame is what templates get.
type frame struct {
	Title    string
	Root     string // leads from the page to the handler's own root
	Token    string // of the forms of whoever looks
	CanAct   bool
	CanLook  bool
	Events   string
	Reload   int
	Notice   string
	Sources  []sourceStatus
	Data     any
	Now      time.Time
	Template string
}

// A sourceStatus says whether a source answers.
type sourceStatus struct {
	Name  string
	Down  bool
	Since time.Time
	Error string
}

func (m *monitor) status() sourceStatus {
	latest := m.snapshot()
	status := sourceStatus{Name: m.name}
	if latest.err != nil {
		status.Down, status.Since, status.Error = true, latest.since, cut(latest.err.Error(), maxText)
	}
	return status
}

// render answers with a page.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, c content) {
	f := frame{Title: c.title, Root: rootOf(r), Reload: c.reload, Now: time.Now(), Template: c.template, Data: c.data}
	if role := h.roleOf(r); role >= Viewer {
		f.CanLook, f.CanAct, f.Token = true, role >= Operator, h.token(w, r)
		f.Notice = notices[r.URL.Query().Get(doneParameter)]
		for _, m := range h.monitors {
			f.Sources = append(f.Sources, m.status())
		}
		if c.events != nil {
			f.Events = f.Root + "events?" + c.events.Encode()
		}
	}
	var body bytes.Buffer
	if err := h.pages.byName[c.template].ExecuteTemplate(&body, "base", f); err != nil {
		h.logger.ErrorContext(r.Context(), "inspect: page", "page", c.template, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// rootOf leads from a page to the root of the handler, wherever that is mounted: pages are at most as deep as /a/b/c.
func rootOf(r *http.Request) string {
	depth := strings.Count(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// redirect sends the browser to a page, relative to the root of the handler.
func redirect(w http.ResponseWriter, r *http.Request, page string, query url.Values) {
	// http.Redirect would make the path absolute, without what StripPrefix has taken off.
	w.Header().Set("Location", rootOf(r)+page+"?"+query.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// redirectToSlash sends the browser from where the handler is mounted to its root, which ends in a slash.
func redirectToSlash(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set("Location", "./"+path[strings.LastIndexByte(path, '/')+1:]+"/")
	w.WriteHeader(http.StatusSeeOther)
}
