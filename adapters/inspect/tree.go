package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A value is an argument or a result, as pages show it.
type value struct {
	Name string
	Type string
	// About says what is known of an envelope: its version, codec, encodings and size.
	About []string
	// Error is why the value cannot be shown.
	Error string
	Tree  branch
}

// A branch is a value with what is in it. Everything about it is within bounds.
type branch struct {
	Name     string
	Type     string
	Kind     envelope.NodeKind
	Text     string
	Branches []branch
	// Left says that more is in it than Branches.
	Left bool
}

// IsOpen reports whether a page shows at once what is in a branch.
func (b branch) IsOpen() bool { return len(b.Branches) <= 20 }

// HasMore reports whether there is something in a branch.
func (b branch) HasMore() bool { return len(b.Branches) > 0 || b.Left }

// Count says how much is in a branch.
func (b branch) Count() string {
	more := ""
	if b.Left {
		more = "more than "
	}
	if b.Kind == envelope.Array {
		return more + plural(len(b.Branches), "element")
	}
	return more + plural(len(b.Branches), "member")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// Bounds of what a page shows of values.
const (
	maxBranches = 1500
	maxLevels   = 40
	// maxDescribed is how long an envelope that is decoded may be, in bytes: decoding takes several times as much memory.
	maxDescribed = 4 << 20
)

// A budget is how many branches a page may still show.
type budget struct{ branches int }

func newBudget() *budget { return &budget{maxBranches} }

// spend takes one branch off, and reports false where none is left or the level is too deep.
func (b *budget) spend(level int) bool {
	if b.branches <= 0 || level > maxLevels {
		return false
	}
	b.branches--
	return true
}

// A describer shows what tasks carry.
type describer struct{ registry *envelope.Registry }

// showValue shows an argument or a result.
func (d describer) showValue(ctx context.Context, b *budget, name, kind string, v any) value {
	text, isText := v.(string)
	if isText && len(text) > maxDescribed {
		return tooLarge(name, kind, text)
	}
	argument := describe(ctx, d.registry, tasks.Arg{Name: name, Type: kind, Value: v})
	description := argument.Description
	shown := value{Name: cut(name, maxName), Type: cut(kind, maxName), Tree: b.described(description.Value, 0)}
	if isText && envelope.Is(text) {
		shown.about(description)
	}
	if argument.Err != nil {
		shown.Error, shown.Tree = sentence(argument.Err), branch{Kind: envelope.Opaque}
	}
	return shown
}

func tooLarge(name, kind, text string) value {
	shown := value{
		Name: cut(name, maxName), Type: cut(kind, maxName), About: []string{size(len(text))},
		Error: "Too large to be shown here.", Tree: branch{Kind: envelope.Opaque},
	}
	if envelope.Is(text) {
		shown.Type = headerType(text)
	}
	return shown
}

// about takes over what is known of an envelope.
func (v *value) about(d envelope.Description) {
	if d.Type != "" {
		v.Type = cut(d.Type, maxName)
		v.About = append(v.About, "version "+strconv.Itoa(d.Version), "codec "+cut(d.Codec, maxName))
	}
	if len(d.Encoding) > 0 {
		v.About = append(v.About, "encoding "+cut(strings.Join(d.Encoding, ", "), maxName))
	}
	if d.Ref != "" {
		v.About = append(v.About, "kept in the payload store")
	}
	if d.Size > 0 {
		v.About = append(v.About, size(d.Size))
	}
}

// described makes a branch of a node.
func (b *budget) described(n envelope.Node, level int) branch {
	shown := branch{Name: cut(n.Name, maxName), Type: cut(n.Type, maxName), Kind: n.Kind, Text: cut(n.Text, maxText)}
	for _, node := range n.Nodes {
		if !b.spend(level + 1) {
			shown.Left = true
			break
		}
		shown.Branches = append(shown.Branches, b.described(node, level+1))
	}
	return shown
}

// headerType reads the type in the header of an envelope, and no more of it; empty where it has none.
func headerType(text string) string {
	const longest = 4 << 10
	decoder := json.NewDecoder(io.LimitReader(strings.NewReader(text), longest))
	for {
		key, err := decoder.Token()
		if err != nil || key == "data" {
			return ""
		}
		if key == "type" {
			name, _ := decoder.Token()
			known, _ := name.(string)
			return cut(known, maxName)
		}
	}
}

// brief shows an argument in a few characters: of envelopes the type alone.
func brief(v any) string {
	const few = 40
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		if !envelope.Is(v) {
			return strconv.Quote(cut(v, few))
		}
		if name := headerType(v); name != "" {
			return name
		}
		return "a broken envelope"
	case []any:
		return plural(len(v), "element")
	case map[string]any:
		return plural(len(v), "member")
	}
	return cut(fmt.Sprint(v), few)
}

func detailsOf(s *tasks.Signature) []detail {
	details := []detail{{"Routing key", cut(s.RoutingKey, maxName)}}
	if s.Priority > 0 {
		details = append(details, detail{"Priority", strconv.Itoa(int(s.Priority))})
	}
	details = append(details, detail{"Retries left", strconv.Itoa(s.RetryCount)})
	if s.Immutable {
		details = append(details, detail{"Immutable", "takes no results of the task before it"})
	}
	return details
}
