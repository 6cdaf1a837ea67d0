package inspect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// ErrUnread is returned where a filter cannot tell, since an argument that it looks at could not be opened.
var ErrUnread = errors.New("argument could not be read")

// MatchTask reports whether the filter chooses a task. Its arguments are read by the registry, or without one where it is
// nil: then as far as they are JSON in clear text. The error is ErrUnread, where all else fits, or that of ctx. Of a
// task that is too large for a list, what is not in the list is unread.
func (f Filter) MatchTask(ctx context.Context, r *envelope.Registry, t Task) (bool, error) {
	isCut := t.Signature == nil && errors.Is(t.Err, ErrLarge)
	return f.match(ctx, r, subject{task: t.Name, queue: t.Queue, since: t.Sent, signature: t.Signature, isCut: isCut})
}

// MatchLetter reports whether the filter chooses a dead letter. Reading and errors are those of MatchTask.
func (f Filter) MatchLetter(ctx context.Context, r *envelope.Registry, l deadletter.Letter) (bool, error) {
	s := subject{queue: l.Queue, reason: l.Reason, since: l.Time, signature: l.Task, isCut: l.Task == nil && len(l.Body) >= MaxBody}
	if l.Task != nil {
		s.task = l.Task.Name
	}
	return f.match(ctx, r, s)
}

// subject is what conditions are asked of.
type subject struct {
	task, queue, reason string
	since               time.Time
	signature           *tasks.Signature
	isCut               bool // signature is missing since a list has not got the whole message
}

// lacks reports whether the list has not got what a condition is about.
func (s subject) lacks(c condition) bool {
	return s.isCut && (c.isAboutArguments() || c.field == byTask && s.task == "")
}

func (f Filter) match(ctx context.Context, r *envelope.Registry, s subject) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var ofArguments []condition
	var unread error
	for _, c := range f.conditions {
		switch {
		case s.lacks(c):
			unread = fmt.Errorf("%w: %w", ErrUnread, ErrLarge)
		case c.isAboutArguments():
			ofArguments = append(ofArguments, c) // last: they cost more than the others
		case !c.holdsOfMessage(s):
			return false, nil
		}
	}
	if unread != nil || len(ofArguments) == 0 {
		return unread == nil, unread
	}
	return matchArguments(ofArguments, Arguments(ctx, r, s.signature))
}

func (c condition) isAboutArguments() bool { return c.field == inArguments || c.field == byType }

func (c condition) holdsOfMessage(s subject) bool {
	switch c.field {
	case byTask:
		return c.holdsOfText(s.task)
	case byQueue:
		return c.holdsOfText(s.queue)
	case byReason:
		return c.holdsOfText(s.reason)
	}
	if s.since.IsZero() {
		return false
	}
	age := time.Since(s.since)
	switch {
	case age < c.age:
		return inOrder(-1, c.operator)
	case age > c.age:
		return inOrder(1, c.operator)
	}
	return inOrder(0, c.operator)
}

func (c condition) holdsOfText(text string) bool {
	if text == "" {
		return false
	}
	return c.holdsOf([]envelope.Node{{Kind: envelope.String, Text: text}})
}

// matchArguments asks conditions of what is in the arguments.
func matchArguments(conditions []condition, arguments []Argument) (bool, error) {
	var unread error
	for _, c := range conditions {
		values, err := c.values(arguments)
		if err == nil && !c.holdsOf(values) {
			return false, nil
		}
		unread = errors.Join(unread, err)
	}
	return unread == nil, unread
}

// values returns what the condition is about.
func (c condition) values(arguments []Argument) (values []envelope.Node, err error) {
	for i, a := range arguments {
		switch {
		case c.field == inArguments && !c.path.begins(a, i):
			continue
		case a.Err != nil:
			return nil, fmt.Errorf("%w: %s: %w", ErrUnread, a.Label(i), a.Err)
		case c.field == byType:
			for _, name := range wireNames(a) {
				values = append(values, envelope.Node{Kind: envelope.String, Text: name})
			}
		default:
			values = c.path[1:].follow(a.Description.Value, values)
		}
	}
	return values, nil
}

// begins reports whether a path leads into an argument.
func (p path) begins(a Argument, position int) bool {
	switch first := p[0]; first.kind {
	case anyOf:
		return true
	case indexed:
		return first.index == position
	default:
		return strings.EqualFold(a.Name, first.name) || strings.EqualFold(lastPart(a.Description.Type), first.name)
	}
}

// lastPart returns Order for orders.Order and *orders.Order, and nothing for types that are made up of others.
func lastPart(expression string) string {
	name := strings.TrimLeft(expression, "*")
	if strings.ContainsAny(name, "[]") {
		return ""
	}
	return name[strings.LastIndexAny(name, "./")+1:]
}

// follow adds the values to which a path leads from one.
func (p path) follow(value envelope.Node, values []envelope.Node) []envelope.Node {
	if value.Kind == envelope.Hidden || value.Kind == envelope.Opaque || len(p) == 0 {
		return append(values, value)
	}
	for _, next := range p[0].from(value) {
		values = p[1:].follow(next, values)
	}
	return values
}

// from returns the values to which a step leads.
func (s pathStep) from(value envelope.Node) []envelope.Node {
	switch {
	case s.kind == anyOf:
		return value.Nodes
	case s.kind == named && value.Kind == envelope.Object:
		return membersNamed(s.name, value.Nodes)
	case s.kind == indexed && value.Kind == envelope.Array && s.index < len(value.Nodes):
		return value.Nodes[s.index : s.index+1]
	}
	return nil
}

// membersNamed returns the member with a name or, where there is none, those with it in other case.
func membersNamed(name string, members []envelope.Node) (folded []envelope.Node) {
	for i, member := range members {
		if member.Name == name {
			return members[i : i+1]
		}
		if strings.EqualFold(member.Name, name) {
			folded = append(folded, member)
		}
	}
	return folded
}

var wireName = regexp.MustCompile(`[A-Za-z][A-Za-z0-9_./-]*`)

// wireNames returns the type of an argument and those of envelopes in it, and the names that they are made up of.
func wireNames(a Argument) []string {
	var names []string
	add := func(expression string) {
		names = append(names, expression)
		if strings.ContainsAny(expression, "[]*") {
			names = append(names, wireName.FindAllString(strings.ReplaceAll(expression, "map[", "["), -1)...)
		}
	}
	add(a.Description.Type)
	eachNode(a.Description.Value, func(n envelope.Node) {
		if n.Type != "" {
			add(n.Type)
		}
	})
	return names
}

func eachNode(n envelope.Node, visit func(envelope.Node)) {
	visit(n)
	for _, inner := range n.Nodes {
		eachNode(inner, visit)
	}
}
