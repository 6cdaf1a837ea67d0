package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// task shows what the queues and the result backend know of a task.
func (i *invocation) task(ctx context.Context) error {
	uuid := i.arguments[0]
	return i.inAny("task "+uuid, func(source Source) error {
		task, err := source.Task(ctx, uuid)
		isQueued := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnsupported) {
			return err
		}
		state, stateErr := source.TaskState(ctx, uuid)
		if stateErr != nil && !errors.Is(stateErr, ErrNotFound) && !errors.Is(stateErr, ErrUnsupported) {
			return stateErr
		}
		if !isQueued && state == nil {
			return err
		}
		if !isQueued {
			task = Task{UUID: uuid, Name: state.TaskName, Attempts: Unknown}
		}
		return i.writeTask(ctx, source.Name(), task, state)
	})
}

func (i *invocation) writeTask(ctx context.Context, source string, t Task, state *tasks.TaskState) error {
	arguments, results := Arguments(ctx, i.Registry, t.Signature), resultsOf(ctx, i.Registry, state)
	if i.values.json {
		return i.write(struct {
			taskJSON
			Result *resultJSON `json:"result,omitempty"`
		}{jsonOfTask(source, t, arguments), jsonOfResult(state, results)}, nil)
	}
	rows := [][]string{{"UUID", t.UUID}, {"Task", t.Name}, {"Source", source}}
	if t.State != "" {
		rows = append(rows, []string{"Queue", t.Queue}, []string{"State", string(t.State)}, []string{"Failed", count(t.Attempts)})
	}
	if state != nil {
		rows = append(rows, []string{"Result", strings.TrimSpace(state.State + " " + state.Error)})
	}
	for _, row := range [][]string{{"Sent", moment(t.Sent)}, {"ETA", moment(t.ETA)}, {"Worker", t.Worker}, {"Error", textOf(t.Err)}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if err := writeTable(i.Stdout, rows); err != nil {
		return err
	}
	i.writeValues("Arguments", arguments)
	i.writeValues("Results", results)
	return nil
}

// resultsOf describes the results of a task as its arguments are.
func resultsOf(ctx context.Context, r *envelope.Registry, state *tasks.TaskState) []Argument {
	if state == nil {
		return nil
	}
	results := make([]Argument, len(state.Results))
	for n, result := range state.Results {
		if result == nil { // a backend has what others wrote into it
			result = new(tasks.TaskResult)
		}
		results[n] = describe(ctx, r, tasks.Arg{Type: result.Type, Value: result.Value})
	}
	return results
}

// writeValues writes arguments or results as trees.
func (c *Command) writeValues(title string, values []Argument) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintln(c.Stdout, "\n"+title)
	for n, a := range values {
		d := a.Description
		header := envelope.Envelope{Type: d.Type, Version: max(d.Version, 1), Codec: cmp.Or(d.Codec, "json"), Encoding: d.Encoding, Ref: d.Ref}
		fmt.Fprintf(c.Stdout, "  %s  %s\n", printable(a.Label(n)), printable(header.String()))
		if a.Err != nil {
			fmt.Fprintf(c.Stdout, "    %s\n", printable(a.Err.Error()))
			continue
		}
		c.writeNode(d.Value, "    ")
	}
}

// writeNode writes a value, and those in it below it.
func (c *Command) writeNode(n envelope.Node, indent string) {
	if len(n.Nodes) == 0 {
		fmt.Fprintln(c.Stdout, indent+printable(n.String()))
		return
	}
	for at, member := range n.Nodes {
		label := member.Name
		if n.Kind == envelope.Array {
			label = fmt.Sprintf("[%d]", at)
		}
		if len(member.Nodes) == 0 {
			member.Name = ""
			fmt.Fprintf(c.Stdout, "%s%s  %s\n", indent, printable(label), printable(member.String()))
			continue
		}
		fmt.Fprintln(c.Stdout, strings.TrimRight(indent+printable(label)+"  "+printable(member.Type), " "))
		c.writeNode(member, indent+"  ")
	}
}

// letter shows one dead letter.
func (i *invocation) letter(ctx context.Context, source Source, id string) error {
	store, err := source.DeadLetters(i.values.queue)
	if err != nil {
		return err
	}
	letter, err := store.Get(ctx, id)
	if err != nil {
		return err
	}
	arguments := Arguments(ctx, i.Registry, letter.Task)
	if i.values.json {
		return i.write(jsonOfLetter(letter, arguments), nil)
	}
	name := "-"
	if letter.Task != nil {
		name = letter.Task.Name
	}
	err = writeTable(i.Stdout, [][]string{{"ID", letter.ID}, {"Task", name}, {"UUID", letter.UUID}, {"Queue", letter.Queue},
		{"Time", moment(letter.Time)}, {"Bytes", fmt.Sprint(len(letter.Body))}, {"Reason", letter.Reason}})
	i.writeValues("Arguments", arguments)
	return err
}

// group shows the members of a group.
func (i *invocation) group(ctx context.Context) error {
	uuid := i.arguments[0]
	return i.inAny("group "+uuid, func(source Source) error {
		group, err := source.Group(ctx, uuid, Page{Cursor: i.values.cursor, Limit: i.values.limit})
		if err != nil {
			return err
		}
		type memberJSON struct {
			UUID  string `json:"uuid"`
			State string `json:"state,omitempty"`
		}
		members, rows := []memberJSON{}, [][]string{{"UUID", "STATE"}}
		for _, m := range group.Members {
			state := ""
			if m.State != nil {
				state = m.State.State
			}
			members = append(members, memberJSON{m.UUID, state})
			rows = append(rows, []string{m.UUID, state})
		}
		err = i.write(struct {
			Source  string         `json:"source"`
			UUID    string         `json:"uuid"`
			Size    int            `json:"size"`
			States  map[string]int `json:"states"`
			Members []memberJSON   `json:"members"`
			Next    string         `json:"next,omitempty"`
		}{source.Name(), group.UUID, group.Size, group.States, members, group.Next}, rows)
		if err == nil && !i.values.json {
			i.tellNext(group.Next)
		}
		return err
	})
}
