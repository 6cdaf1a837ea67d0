package inspect

import (
	"context"
	"net/url"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// A lister gets a page of a list, and the cursor of the page after it.
type lister[T any] func(ctx context.Context, page Page) (entries []T, next string, err error)

func tasksIn(source Source, queue string, state State) lister[Task] {
	return func(ctx context.Context, page Page) ([]Task, string, error) {
		found, err := source.Tasks(ctx, queue, state, page)
		return found.Tasks, found.Next, err
	}
}

func lettersIn(source Source, queue string) lister[deadletter.Letter] {
	return func(ctx context.Context, page Page) ([]deadletter.Letter, string, error) {
		found, err := source.Letters(ctx, queue, page)
		return found.Letters, found.Next, err
	}
}

// each hands over all entries, in their order, until visit wants no more.
func (get lister[T]) each(ctx context.Context, visit func(context.Context, T) (more bool, err error)) error {
	for page := (Page{Limit: MaxLimit}); ; {
		entries, next, err := get(ctx, page)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if more, err := visit(ctx, entry); err != nil || !more {
				return err
			}
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

const (
	// maxLooked is how many entries a filter looks at for one page.
	maxLooked = 2000
	// filterPage is how many it gets at once.
	filterPage = 200
)

// load gets the rows of a page of the list: with a filter, as many pages of the source as it takes, within bounds. An
// entry has a row where choose says so.
func load[T, R any](ctx context.Context, l *list, query url.Values, get lister[T], choose func(T) (R, bool)) (rows []R, err error) {
	page := Page{Cursor: query.Get(cursorParameter)}
	if l.Filter.isSet() {
		page.Limit = filterPage
	}
	for {
		l.calls++
		entries, next, err := get(ctx, page)
		if isMissing(err) {
			l.Refused = sentence(err)
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if row, chosen := choose(entry); chosen {
				rows = append(rows, row)
			}
		}
		l.Looked += len(entries)
		page.Cursor = next
		if next == "" || !l.Filter.isSet() || len(rows) >= DefaultLimit || l.Looked >= maxLooked {
			break
		}
	}
	l.link(query, page.Cursor)
	return rows, nil
}
