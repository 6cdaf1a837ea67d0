package envelope

import (
	"context"
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A Description is an envelope as it can be shown to people.
type Description struct {
	// Type is the type expression.
	Type string
	// Version is the schema version of the type, as it was sent.
	Version int
	// Codec is the format of the payload: "json", or the name of another codec.
	Codec string
	// Encoding says what was done to the payload, in order; Describe has undone it.
	Encoding []string
	// Ref is the key under which the payload store keeps the payload, empty without one.
	Ref string
	// Size is the length of the envelope's text in bytes.
	Size int
	// Value is the payload. Its Kind is Opaque if there is no JSON to show.
	Value Node
}

// A NodeKind says what a [Node] is.
type NodeKind string

const (
	// Null is JSON's null: a nil, where the value may be shown.
	Null NodeKind = "null"
	// Bool is true or false.
	Bool NodeKind = "bool"
	// Number is a number, as it was written.
	Number NodeKind = "number"
	// String is a string: also a time, base64 and what else is written as one.
	String NodeKind = "string"
	// Array is a list of elements.
	Array NodeKind = "array"
	// Object is a struct or a map.
	Object NodeKind = "object"
	// Hidden is a value that may not be shown: its type, or what holds it, is registered as [Secret], or is not registered.
	Hidden NodeKind = "hidden"
	// Opaque is a payload in another codec than JSON, or one that could not be opened.
	Opaque NodeKind = "opaque"
)

// A Node is a value in a payload.
type Node struct {
	// Name is that of an object's member, empty for all other values.
	Name string
	// Type is the type expression of the nested envelope that the value stands in, or the name of a Hidden value's type;
	// it is empty for all other values, whose type follows from what holds them.
	Type string
	Kind NodeKind
	// Text is what a String says, or the JSON of a Number or a Bool.
	Text string
	// Nodes are the elements of an Array or the members of an Object, in the order in which they were sent.
	Nodes []Node
}

// Describe gives what stands in an envelope as a tree, for people such as those who look through dead letters: payloads
// are decrypted and fetched from the store, and values of older versions are given as they were sent. Of values of types
// registered as [Secret], at any depth, and of nested envelopes with types that are not registered, it gives the type's
// name only.
//
// Together with an error, of the kinds that [Registry.Unmarshal] returns, comes what could be learned: nothing, or all
// but the Value. Describe does not make sure that the payload fits its type.
func (r *Registry) Describe(ctx context.Context, s string) (Description, error) {
	d := newDecoder(ctx, r, s)
	defer d.release()
	describer := describer{decoder: d, secrets: map[reflect.Type]bool{}}
	description, err := describer.describe(s)
	return description, rooted("", err)
}

// Inspect gives what [Registry.Describe] does as text: what the header says and, in a second line, the payload in the
// form of JSON, in which values of nested envelopes follow the name of their type: int(2). Errors are those of Describe.
func (r *Registry) Inspect(ctx context.Context, s string) (string, error) {
	description, err := r.Describe(ctx, s)
	return description.String(), err
}

func (d *describer) describe(s string) (Description, error) {
	if err := d.checkInput(s); err != nil {
		return Description{}, err
	}
	h, err := readHeader(&d.in)
	if err != nil {
		return Description{}, err
	}
	x, err := parseExpression(h.expression, &d.settings.limits)
	if err != nil {
		return Description{}, err
	}
	description := describeHeader(h, len(s))
	if x.unknownName(d.catalog.types) != nil {
		description.Value.Kind = Hidden
		return description, nil
	}
	applied, err := d.admit(&h, x, anyTarget.goType)
	if err != nil {
		return description, err
	}
	// No value is made, so the type may be one that messages cannot choose.
	if err := d.undo(&h, x, applied); err != nil {
		return description, err
	}
	payload := siteOf(d.catalog.types, x, h.version)
	value, err := d.describePayload(h, payload)
	if err == nil {
		err = d.close()
	}
	if err != nil {
		return description, err
	}
	if payload.kind() != reflect.Interface {
		value.Type = "" // the Description has it
	}
	description.Value = value
	return description, nil
}

func describeHeader(h header, size int) Description {
	return Description{
		Type:     strings.Clone(h.expression),
		Version:  h.version,
		Codec:    strings.Clone(h.codec),
		Encoding: cloneEach(h.encoding),
		Ref:      strings.Clone(h.ref),
		Size:     size,
		Value:    Node{Kind: Opaque},
	}
}

// String says what stands in the header and, in a second line, what can be shown of the payload. It is empty for a
// Description of nothing.
func (d Description) String() string {
	header := Envelope{Type: d.Type, Version: d.Version, Codec: d.Codec, Encoding: d.Encoding, Ref: d.Ref}
	switch {
	case d.Type == "":
		return ""
	case d.Value.isWithheld() && d.Value.Type == "":
		return header.String()
	}
	return header.String() + "\n" + d.Value.String()
}

// isWithheld reports whether the node has no value to show.
func (n Node) isWithheld() bool { return n.Kind == Hidden || n.Kind == Opaque }

// String gives the value in the form of JSON, without its name. A value in a nested envelope follows the name of its
// type, int(2), and three dots stand for one that is not shown.
func (n Node) String() string { return string(n.appendText(nil)) }

func (n Node) appendText(buf []byte) []byte {
	if n.Type == "" {
		return n.appendValue(buf)
	}
	buf = append(append(buf, n.Type...), '(')
	return append(n.appendValue(buf), ')')
}

func (n Node) appendValue(buf []byte) []byte {
	switch n.Kind {
	case Null:
		return jsontext.AppendNull(buf)
	case Bool, Number:
		return append(buf, n.Text...)
	case String:
		return appendQuoted(buf, n.Text)
	case Array:
		return append(n.appendNodes(append(buf, '[')), ']')
	case Object:
		return append(n.appendNodes(append(buf, '{')), '}')
	}
	return append(buf, "…"...)
}

func (n Node) appendNodes(buf []byte) []byte {
	for i, node := range n.Nodes {
		if i > 0 {
			buf = append(buf, ',')
		}
		if n.Kind == Object {
			buf = append(appendQuoted(buf, node.Name), ':')
		}
		buf = node.appendText(buf)
	}
	return buf
}

// appendQuoted writes text in quotes, as JSON does.
func appendQuoted(buf []byte, text string) []byte {
	buf, err := jsontext.AppendText(buf, text)
	if err != nil {
		return append(buf, `"…"`...)
	}
	return buf
}
