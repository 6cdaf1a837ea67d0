package inspect

import (
	"context"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// queueHead is what pages of a queue have at the top.
type queueHead struct {
	Source string
	Queue  Queue
	Tabs   []tab
}

// A tab leads to the tasks of a queue in one state, or to its dead letters.
type tab struct {
	Label   string
	Count   int
	Page    string
	Query   template.URL
	Current bool
}

// queueData is what the page of a queue shows.
type queueData struct {
	Head  queueHead
	State State
	Rows  []taskRow
	List  list
}

// A list is a part of a long list, with a filter on it.
type list struct {
	Filter filterField
	// Refused says that the broker does not show what is in the list.
	Refused string
	// Looked is how many entries a filter has looked at.
	Looked int
	First  template.URL // the query of the first page; empty on it
	Next   template.URL // the query of the next page

	calls int // how many questions to the source it took
}

// A taskRow is a task in a table.
type taskRow struct {
	Task
	Link  template.URL // the query of its own page
	Args  []string
	Error string
	Start string // of a message that is no task
}

var stateLabels = map[State]string{Waiting: "Waiting", Running: "Running", PutBack: "Put back", Delayed: "Delayed"}

const deadTab = "dead"

// headOf returns the head of a queue's page. A queue that no source knows is not found.
func headOf(m *monitor, name, current string) (queueHead, error) {
	queue, known := m.snapshot().queue(name)
	if !known {
		return queueHead{}, notFound("There is no queue “" + cut(name, maxName) + "” in " + m.name + ".")
	}
	head := queueHead{Source: m.name, Queue: queue}
	counts := map[State]int{Waiting: queue.Waiting, Running: queue.Running, PutBack: queue.PutBack, Delayed: queue.Delayed}
	for _, state := range States() {
		head.Tabs = append(head.Tabs, tab{
			Label: stateLabels[state], Count: counts[state], Page: "queue", Current: current == string(state),
			Query: encoded(url.Values{queueParameter: {name}, stateParameter: {string(state)}}),
		})
	}
	head.Tabs = append(head.Tabs, tab{
		Label: "Dead letters", Count: queue.Dead, Page: "dead", Current: current == deadTab,
		Query: encoded(url.Values{queueParameter: {name}}),
	})
	return head, nil
}

func (h *Handler) queuePage(ctx context.Context, m *monitor, asked ask) (content, error) {
	query := asked.query
	state := State(query.Get(stateParameter))
	if state == "" {
		state = Waiting
	}
	if !slices.Contains(States(), state) {
		return content{}, notFound("Tasks are waiting, running, put-back or delayed; not “" + cut(string(state), maxName) + "”.")
	}
	name := query.Get(queueParameter)
	head, err := headOf(m, name, string(state))
	if err != nil {
		return content{}, err
	}
	data := queueData{Head: head, State: state}
	if data.List.Filter, err = h.filters.field(h.registry, query); err != nil {
		return content{}, err
	}
	data.Rows, err = load(ctx, &data.List, query, tasksIn(m.source, name, state), func(task Task) (taskRow, bool) {
		if !data.List.Filter.hasTask(ctx, task) {
			return taskRow{}, false
		}
		return rowOf(task), true
	})
	if err != nil {
		return content{calls: data.List.calls}, err
	}
	return content{template: "queue", title: cut(name, maxName), data: data, calls: data.List.calls}, nil
}

// encoded is a query as templates write it into a link: it is escaped already.
func encoded(query url.Values) template.URL { return template.URL(query.Encode()) }

// link makes the links to other pages of a list.
func (l *list) link(query url.Values, next string) {
	kept := url.Values{}
	for _, name := range []string{queueParameter, stateParameter, uuidParameter, filterParameter} {
		if query.Has(name) {
			kept.Set(name, query.Get(name))
		}
	}
	if query.Get(cursorParameter) != "" {
		l.First = encoded(kept)
	}
	if next != "" {
		kept.Set(cursorParameter, next)
		l.Next = encoded(kept)
	}
}

func rowOf(task Task) taskRow {
	row := taskRow{Task: task}
	row.Body, row.Signature = nil, nil // a page in memory is small
	if task.UUID != "" {
		row.Link = encoded(url.Values{uuidParameter: {task.UUID}})
	}
	row.UUID, row.Name = cut(task.UUID, maxName), cut(task.Name, maxName)
	if task.Err != nil {
		row.Error, row.Start = sentence(task.Err), startOf(task.Body)
	}
	if task.Signature == nil {
		return row
	}
	const maxArgs = 6
	for i, arg := range task.Signature.Args {
		if i == maxArgs {
			row.Args = append(row.Args, "… "+strconv.Itoa(len(task.Signature.Args)-maxArgs)+" more")
			break
		}
		row.Args = append(row.Args, brief(arg.Value))
	}
	return row
}

// startOf returns the start of a message that is no task; empty where it might hold an envelope, of which a type may be
// secret.
func startOf(body []byte) string {
	const start = 300
	text := string(body)
	if strings.Contains(text, "envelope") || strings.Contains(text, `\u`) {
		return ""
	}
	return cut(text, start)
}
