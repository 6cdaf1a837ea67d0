package inspect

import (
	"context"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// An Argument is an argument of a task as it can be shown to people.
type Argument struct {
	// Name is what the task calls the argument; empty where the sender gave it none.
	Name string
	// Description is what stands in the argument's envelope. Its Type is Machinery's, and its Value the value as it
	// stands, where the argument has no envelope.
	Description envelope.Description
	// Err is why Description lacks its Value, or all: the envelope could not be opened. It holds no value.
	Err error
}

// Label returns the argument's name or, where it has none, its position, such as [0].
func (a Argument) Label(position int) string {
	if a.Name != "" {
		return a.Name
	}
	return "[" + strconv.Itoa(position) + "]"
}

// Arguments describes the arguments of a task, in their order, by [envelope.Registry.Describe]. Without a registry, which
// is nil then, it gives the headers of envelopes, and of their payloads those that are JSON in clear text.
func Arguments(ctx context.Context, r *envelope.Registry, s *tasks.Signature) []Argument {
	if s == nil {
		return nil
	}
	arguments := make([]Argument, len(s.Args))
	for i, arg := range s.Args {
		arguments[i] = describe(ctx, r, arg)
	}
	return arguments
}

func describe(ctx context.Context, r *envelope.Registry, arg tasks.Arg) Argument {
	described := Argument{Name: arg.Name}
	text, isText := arg.Value.(string)
	switch {
	case !isText || !envelope.Is(text):
		described.Description, described.Err = describePlain(arg)
		if r != nil {
			openTexts(ctx, r, &described.Description.Value)
		}
	case r == nil:
		described.Description, described.Err = describeUnknown(text)
	default:
		described.Description, described.Err = r.Describe(ctx, text)
	}
	return described
}

// openTexts puts in place of envelopes that stand in a plain value, such as those of a list of strings, what the registry
// shows of them: there are secrets in them as in others.
func openTexts(ctx context.Context, r *envelope.Registry, n *envelope.Node) {
	for i := range n.Nodes {
		openTexts(ctx, r, &n.Nodes[i])
	}
	switch {
	case n.Kind == envelope.String && envelope.Is(n.Text):
		d, err := r.Describe(ctx, n.Text)
		if err != nil {
			d.Value = envelope.Node{Kind: envelope.Opaque}
		}
		d.Value.Name, d.Value.Type = n.Name, d.Type
		*n = d.Value
	case n.Type != "": // an envelope that is no text, which no sender of this module writes
		*n = envelope.Node{Name: n.Name, Type: n.Type, Kind: envelope.Hidden}
	}
}
