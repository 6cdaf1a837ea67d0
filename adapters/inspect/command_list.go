package inspect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// How much of a text a table shows.
const (
	shownArguments = 60
	shownReason    = 70
)

func (i *invocation) queues(ctx context.Context) error {
	listed, rows := []queueJSON{}, [][]string{queueHeader()}
	for _, source := range i.sources {
		queues, err := source.Queues(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", source.Name(), err)
		}
		for _, q := range queues {
			listed = append(listed, jsonOfQueue(source.Name(), q))
			rows = append(rows, rowOfQueue(source.Name(), q))
		}
	}
	return i.write(listed, rows)
}

func queueHeader() []string {
	return []string{"SOURCE", "QUEUE", "WAITING", "RUNNING", "PUT BACK", "DELAYED", "DEAD", "WORKERS", "OLDEST", ""}
}

func rowOfQueue(source string, q Queue) []string {
	paused := ""
	if q.Paused {
		paused = "paused"
	}
	return []string{source, q.Name, count(q.Waiting), count(q.Running), count(q.PutBack), count(q.Delayed), count(q.Dead),
		count(q.Workers), ago(q.Oldest), paused}
}

func (i *invocation) workers(ctx context.Context) error {
	listed, rows := []workerJSON{}, [][]string{workerHeader()}
	for _, source := range i.sources {
		workers, err := source.Workers(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", source.Name(), err)
		}
		for _, w := range workers {
			listed = append(listed, jsonOfWorker(source.Name(), w))
			rows = append(rows, rowsOfWorker(source.Name(), w)...)
		}
	}
	return i.write(listed, rows)
}

func workerHeader() []string {
	return []string{"SOURCE", "WORKER", "HOST", "PROCESS", "QUEUES", "RUNNING", "BEAT", "TASK", "FOR"}
}

// rowsOfWorker has a row for each task that the worker runs, and one where it runs none.
func rowsOfWorker(source string, w Worker) [][]string {
	process := "-"
	if w.Process != 0 {
		process = strconv.Itoa(w.Process)
	}
	running := strconv.Itoa(len(w.Running))
	if w.Concurrency != 0 {
		running += " of " + strconv.Itoa(w.Concurrency)
	}
	rows := [][]string{{source, w.ID, w.Host, process, strings.Join(w.Queues, ","), running, ago(w.Beat), "", ""}}
	for n, r := range w.Running {
		if n > 0 {
			rows = append(rows, []string{"", "", "", "", "", "", "", "", ""})
		}
		rows[n][7], rows[n][8] = r.Name+" "+r.UUID, ago(r.Since)
	}
	return rows
}

// listing is what a listing has found.
type listing[T any] struct {
	found  []T
	unread int
	// next is the cursor of what comes after; with a filter it is empty, and more says that something may come.
	next string
	more bool
}

// collect goes through pages until it has found as many as -limit says. An entry is shown where choose says so.
func collect[T any](ctx context.Context, i *invocation, get lister[T], choose func(T) (bool, error)) (listing[T], error) {
	var l listing[T]
	for page := (Page{Cursor: i.values.cursor}); ; {
		page.Limit = MaxLimit
		if i.filter.IsZero() {
			page.Limit = min(i.values.limit-len(l.found), MaxLimit)
		}
		entries, next, err := get(ctx, page)
		if err != nil {
			return l, err
		}
		for _, entry := range entries {
			chosen, err := choose(entry)
			switch {
			case isUnread(err):
				l.unread++
			case err != nil:
				return l, err
			case chosen && len(l.found) == i.values.limit:
				l.more = true
				return l, nil
			case chosen:
				l.found = append(l.found, entry)
			}
		}
		if page.Cursor = next; next == "" {
			return l, nil
		}
		if i.filter.IsZero() && len(l.found) == i.values.limit {
			l.next, l.more = next, true
			return l, nil
		}
		if err := ctx.Err(); err != nil {
			return l, err
		}
	}
}

// pageJSON is a list that may go on.
type pageJSON struct {
	Entries any    `json:"entries"`
	Unread  int    `json:"unread"`
	More    bool   `json:"more"`
	Next    string `json:"next,omitempty"`
}

func writeList[T any](i *invocation, l listing[T], entries any, rows [][]string) error {
	if err := i.write(pageJSON{entries, l.unread, l.more, l.next}, rows); err != nil || i.values.json {
		return err
	}
	if l.unread > 0 {
		fmt.Fprintf(i.Stderr, "%d could not be read: of them the filter cannot tell\n", l.unread)
	}
	i.tellNext(l.next)
	if l.more && l.next == "" {
		fmt.Fprintln(i.Stderr, "more: raise -limit")
	}
	return nil
}

// tellNext says where a list goes on that a table is a part of.
func (c *Command) tellNext(cursor string) {
	if cursor != "" {
		fmt.Fprintf(c.Stderr, "more: -cursor %s\n", printable(cursor))
	}
}

func (i *invocation) tasks(ctx context.Context) error {
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	get := tasksIn(source, i.values.queue, State(i.values.state))
	l, err := collect(ctx, i, get, func(t Task) (bool, error) { return i.filter.MatchTask(ctx, i.Registry, t) })
	if err != nil {
		return err
	}
	listed, rows := []taskJSON{}, [][]string{{"UUID", "TASK", "SENT", "DUE IN", "FAILED", "WORKER", "ARGUMENTS"}}
	for _, t := range l.found {
		arguments := Arguments(ctx, i.Registry, t.Signature)
		listed = append(listed, jsonOfTask(source.Name(), t, arguments))
		rows = append(rows, rowOfTask(t, arguments))
	}
	return writeList(i, l, listed, rows)
}

func rowOfTask(t Task, arguments []Argument) []string {
	shown := briefArguments(arguments)
	if t.Signature == nil && t.Err != nil {
		shown = cutTo(t.Err.Error(), shownArguments)
	}
	return []string{t.UUID, t.Name, ago(t.Sent), ahead(t.ETA), count(t.Attempts), t.Worker, shown}
}

// briefArguments shows arguments in one line.
func briefArguments(arguments []Argument) string {
	texts := make([]string, len(arguments))
	for n, a := range arguments {
		texts[n] = cutTo(a.Description.Value.String(), shownArguments)
	}
	return cutTo(strings.Join(texts, ", "), shownArguments)
}

func (i *invocation) dead(ctx context.Context) error {
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	if len(i.arguments) == 1 {
		return i.letter(ctx, source, i.arguments[0])
	}
	get := lettersIn(source, i.values.queue)
	l, err := collect(ctx, i, get, func(l deadletter.Letter) (bool, error) { return i.filter.MatchLetter(ctx, i.Registry, l) })
	if err != nil {
		return err
	}
	listed, rows := []letterJSON{}, [][]string{{"ID", "TASK", "UUID", "AGE", "REASON", "ARGUMENTS"}}
	for _, letter := range l.found {
		arguments := Arguments(ctx, i.Registry, letter.Task)
		listed = append(listed, jsonOfListed(letter, arguments))
		rows = append(rows, rowOfLetter(letter, arguments))
	}
	return writeList(i, l, listed, rows)
}

func rowOfLetter(l deadletter.Letter, arguments []Argument) []string {
	name := "-"
	if l.Task != nil {
		name = l.Task.Name
	}
	return []string{l.ID, name, l.UUID, ago(l.Time), cutTo(l.Reason, shownReason), briefArguments(arguments)}
}
