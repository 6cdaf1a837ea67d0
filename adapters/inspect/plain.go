package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// describePlain describes an argument that Machinery carries by itself.
func describePlain(arg tasks.Arg) (envelope.Description, error) {
	description := envelope.Description{Type: arg.Type, Value: envelope.Node{Kind: envelope.Opaque}}
	text, err := json.Marshal(arg.Value)
	if err != nil {
		return description, errors.New("argument is no JSON")
	}
	value, err := nodeOf(text)
	if err != nil {
		return description, err
	}
	description.Codec, description.Size, description.Value = "json", len(text), value
	return description, nil
}

// describeUnknown describes an envelope without a registry: nothing tells which of its values are secret, and whoever
// reads the message sees them anyway.
func describeUnknown(text string) (envelope.Description, error) {
	parsed, err := envelope.Parse(text)
	if err != nil {
		return envelope.Description{Value: envelope.Node{Kind: envelope.Opaque}}, err
	}
	description := envelope.Description{
		Type: parsed.Type, Version: parsed.Version, Codec: parsed.Codec, Encoding: parsed.Encoding, Ref: parsed.Ref,
		Size: len(text), Value: envelope.Node{Kind: envelope.Opaque},
	}
	if parsed.Codec != "json" || len(parsed.Encoding) > 0 || parsed.Ref != "" {
		return description, nil
	}
	value, err := nodeOf(parsed.Data())
	if err == nil {
		description.Value = value
	}
	return description, err
}

// nodeOf makes a tree of JSON text.
func nodeOf(text []byte) (envelope.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	reader := nodeReader{decoder}
	node, err := reader.next(envelope.DefaultMaxDepth)
	if err != nil {
		return envelope.Node{}, fmt.Errorf("payload cannot be shown: %w", err)
	}
	return node, nil
}

var errTooDeep = errors.New("values are nested too deep")

// nodeReader reads JSON with its names in their order.
type nodeReader struct{ decoder *json.Decoder }

// next reads one value, which may hold others so many levels deep.
func (r nodeReader) next(depth int) (envelope.Node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return envelope.Node{}, errors.New("it is no JSON") // encoding/json's errors quote it
	}
	switch value := token.(type) {
	case json.Delim:
		if depth == 0 {
			return envelope.Node{}, errTooDeep
		}
		return r.container(value, depth-1)
	case string:
		return envelope.Node{Kind: envelope.String, Text: value}, nil
	case json.Number:
		return envelope.Node{Kind: envelope.Number, Text: value.String()}, nil
	case bool:
		return envelope.Node{Kind: envelope.Bool, Text: fmt.Sprint(value)}, nil
	}
	return envelope.Node{Kind: envelope.Null}, nil
}

func (r nodeReader) container(opening json.Delim, depth int) (envelope.Node, error) {
	node := envelope.Node{Kind: envelope.Array}
	if opening == '{' {
		node.Kind = envelope.Object
	}
	for r.decoder.More() {
		name := ""
		if node.Kind == envelope.Object {
			key, err := r.decoder.Token()
			if err != nil {
				return envelope.Node{}, errors.New("it is no JSON")
			}
			name, _ = key.(string)
		}
		member, err := r.next(depth)
		if err != nil {
			return envelope.Node{}, err
		}
		member.Name = name
		node.Nodes = append(node.Nodes, member)
	}
	if _, err := r.decoder.Token(); err != nil {
		return envelope.Node{}, errors.New("it is no JSON")
	}
	return opened(node), nil
}

// opened returns the value of an envelope that stands in another, as envelope.Registry.Describe shows it, and any other
// value as it is.
func opened(node envelope.Node) envelope.Node {
	if node.Kind != envelope.Object || len(node.Nodes) == 0 || node.Nodes[0].Name != "$envelope" {
		return node
	}
	value := envelope.Node{Kind: envelope.Opaque}
	var codec, expression string
	for _, member := range node.Nodes {
		switch member.Name {
		case "type":
			expression = member.Text
		case "codec":
			codec = member.Text
		case "data":
			value = member
		}
	}
	if codec != "" && !strings.EqualFold(codec, "json") {
		value = envelope.Node{Kind: envelope.Opaque}
	}
	value.Name, value.Type = "", expression
	return value
}
