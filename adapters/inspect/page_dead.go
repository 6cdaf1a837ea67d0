package inspect

import (
	"context"
	"html/template"
	"maps"
	"net/url"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// deadData is what the page of a queue's dead letters shows.
type deadData struct {
	Head queueHead
	Rows []letterRow
	List list
}

// A letterRow is a dead letter in a table.
type letterRow struct {
	deadletter.Letter
	Name string
	Link template.URL // the query of its own page
}

func (h *Handler) deadPage(ctx context.Context, m *monitor, asked ask) (content, error) {
	query := asked.query
	name := query.Get(queueParameter)
	head, err := headOf(m, name, deadTab)
	if err != nil {
		return content{}, err
	}
	data := deadData{Head: head}
	if data.List.Filter, err = h.filters.field(h.registry, query); err != nil {
		return content{}, err
	}
	data.Rows, err = load(ctx, &data.List, query, lettersIn(m.source, name), func(letter deadletter.Letter) (letterRow, bool) {
		if !data.List.Filter.hasLetter(ctx, letter) {
			return letterRow{}, false
		}
		return letterRowOf(name, letter), true
	})
	if err != nil {
		return content{calls: data.List.calls}, err
	}
	return content{template: "dead", title: "Dead letters of " + cut(name, maxName), data: data, calls: data.List.calls}, nil
}

func letterRowOf(queue string, letter deadletter.Letter) letterRow {
	row := letterRow{Letter: letter, Link: encoded(url.Values{queueParameter: {queue}, letterParameter: {letter.ID}})}
	if letter.Task != nil {
		row.Name = cut(letter.Task.Name, maxName)
	}
	row.UUID, row.Reason = cut(letter.UUID, maxName), cut(letter.Reason, maxName)
	row.Body, row.Task, row.Attributes = nil, nil, nil
	return row
}

// letterData is what the page of a dead letter shows.
type letterData struct {
	Head       queueHead
	Task       taskData
	Letter     deadletter.Letter // without its message
	Attributes []detail
}

func (h *Handler) letterPage(ctx context.Context, m *monitor, asked ask) (content, error) {
	query := asked.query
	name, id := query.Get(queueParameter), query.Get(letterParameter)
	head, err := headOf(m, name, deadTab)
	if err != nil {
		return content{}, err
	}
	store, err := m.source.DeadLetters(name)
	if err != nil {
		return content{}, err
	}
	letter, err := store.Get(ctx, id)
	if err != nil {
		return content{calls: 1}, failureOf(err, "dead letter “"+cut(id, maxName)+"” of queue “"+cut(name, maxName)+"”")
	}
	data := letterData{Head: head}
	title := "A message that is no task"
	if letter.Task != nil {
		data.Task.UUID, data.Task.Name = cut(letter.UUID, maxName), cut(letter.Task.Name, maxName)
		title = data.Task.Name
		h.addSignature(ctx, &data.Task, letter.Task)
	} else {
		data.Task.Start = startOf(letter.Body)
	}
	for _, key := range slices.Sorted(maps.Keys(letter.Attributes)) {
		data.Attributes = append(data.Attributes, detail{cut(key, maxName), brief(letter.Attributes[key])})
	}
	letter.Reason = cut(letter.Reason, maxText)
	data.Letter = letter
	data.Letter.Body, data.Letter.Task, data.Letter.Attributes = nil, nil, nil
	return content{template: "letter", title: title, data: data, calls: 1}, nil
}
