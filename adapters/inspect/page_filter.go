package inspect

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// filters keeps the filters that people have given, by a random ID: a filter has values in it, which stay out of URLs,
// and so out of the logs of proxies and the histories of browsers.
type filters struct {
	mu     sync.Mutex
	byID   map[string]keptFilter
	oldest []string // IDs, those first that are forgotten first
}

// A keptFilter is a filter as it was written, and how it was read.
type keptFilter struct {
	text   string
	filter Filter
	err    error
}

const (
	maxFilters    = 1000
	maxFilterText = 4 << 10 // bytes
)

// keep returns the ID of a filter.
func (f *filters) keep(text string) string {
	kept := keptFilter{text: text}
	kept.filter, kept.err = ParseFilter(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = map[string]keptFilter{}
	}
	if len(f.oldest) >= maxFilters {
		delete(f.byID, f.oldest[0])
		f.oldest = append(f.oldest[:0], f.oldest[1:]...)
	}
	id := rand.Text()
	f.byID[id], f.oldest = kept, append(f.oldest, id)
	return id
}

func (f *filters) get(id string) (keptFilter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "" {
		return keptFilter{}, nil
	}
	kept, known := f.byID[id]
	if !known {
		return keptFilter{}, notFound("This filter has been forgotten: give it again.")
	}
	return kept, nil
}

// A filterField is the filter of a page.
type filterField struct {
	ID   string
	Text string
	// Problem says where a filter cannot be read, and Example how one is written; nothing is listed then.
	Problem, Example string

	filter   Filter
	registry *envelope.Registry
}

func (f *filters) field(registry *envelope.Registry, query url.Values) (filterField, error) {
	id := query.Get(filterParameter)
	kept, err := f.get(id)
	field := filterField{ID: id, Text: kept.text, filter: kept.filter, registry: registry}
	var unreadable *FilterError
	switch {
	case errors.As(kept.err, &unreadable):
		field.Problem, field.Example = "Column "+thousands(unreadable.Column)+": "+unreadable.Problem+".", unreadable.Example
	case kept.err != nil:
		field.Problem = sentence(kept.err)
	}
	return field, err
}

// isSet reports whether there is a filter that chooses.
func (f filterField) isSet() bool { return !f.filter.IsZero() }

// hasTask reports whether the filter chooses a task. Of those that cannot be read it cannot tell, and leaves them out.
func (f filterField) hasTask(ctx context.Context, t Task) bool {
	if f.Problem != "" {
		return false
	}
	if !f.isSet() {
		return true
	}
	chosen, err := f.filter.MatchTask(ctx, f.registry, t)
	return err == nil && chosen
}

func (f filterField) hasLetter(ctx context.Context, l deadletter.Letter) bool {
	if f.Problem != "" {
		return false
	}
	if !f.isSet() {
		return true
	}
	chosen, err := f.filter.MatchLetter(ctx, f.registry, l)
	return err == nil && chosen
}

// setFilter takes a filter and leads to the page that it is for.
func (h *Handler) setFilter(w http.ResponseWriter, r *http.Request, m *monitor) {
	if err := h.checkForm(w, r); err != nil {
		h.fail(w, r, failure{http.StatusForbidden, "Not filtered", "This form is too old. Go back, reload the page, and try again."})
		return
	}
	query := url.Values{queueParameter: {r.PostFormValue(queueParameter)}}
	page := "dead"
	if state := r.PostFormValue(stateParameter); state != "" {
		page = "queue"
		query.Set(stateParameter, state)
	}
	text := r.PostFormValue(filterParameter)
	if len(text) > maxFilterText {
		h.fail(w, r, failure{http.StatusRequestEntityTooLarge, "Too long", "A filter has 4 KiB at most."})
		return
	}
	if text != "" {
		query.Set(filterParameter, h.filters.keep(text))
	}
	redirect(w, r, url.PathEscape(m.name)+"/"+page, query)
}
