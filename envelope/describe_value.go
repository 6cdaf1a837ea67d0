package envelope

import (
	"reflect"
	"strings"
)

// A describer makes the tree of one envelope's values.
type describer struct {
	*decoder
	// secrets remembers which types hold a secret.
	secrets map[reflect.Type]bool
}

// hidden reads past a value that may not be shown.
func (d *describer) hidden(typeName string) (Node, error) {
	return Node{Kind: Hidden, Type: typeName}, d.in.Skip()
}

// describePayload describes what follows a header.
func (d *describer) describePayload(h header, s site) (Node, error) {
	if h.codec == jsonCodec {
		return d.describeValue(s)
	}
	if d.hasSecret(s) {
		return d.hidden("")
	}
	return Node{Kind: Opaque}, d.in.Skip()
}

var nodeMemory = sizeOf(reflect.TypeFor[Node]())

// describeValue describes one value.
func (d *describer) describeValue(s site) (Node, error) {
	types := d.catalog.types
	s, hiding := d.written(s)
	if s.hidden {
		return d.hidden(hiding)
	}
	switch c := d.in.Peek(); {
	case c == '{' && s.kind() == reflect.Interface && atEnvelope(&d.in):
		return d.describeNested()
	case c == '{' && s.kind() == reflect.Struct:
		return d.describeObject(d.memberSites(s.goType))
	case c == '{' && s.kind() == reflect.Map && !d.hasSecretKeys(s):
		return d.describeObject(func(string) site { return s.element(types) })
	case c == '[' && (s.kind() == reflect.Slice || s.kind() == reflect.Array):
		return d.describeArray(s.element(types))
	case c != 'n' && d.hasSecret(s):
		return d.hidden("")
	case c == '{':
		return d.describeObject(func(string) site { return anySite })
	case c == '[':
		return d.describeArray(anySite)
	}
	return d.describeScalar()
}

// describeNested describes a value in an envelope inside another. It hides what cannot be read as an envelope: what
// would tell whether it may be shown is missing.
func (d *describer) describeNested() (Node, error) {
	start := d.in.Mark()
	if err := d.in.Enter(); err != nil {
		return Node{}, err
	}
	defer d.in.Leave()
	h, err := readHeader(&d.in)
	if err != nil || !h.isPlain() {
		d.in.Rewind(start)
		return d.hidden("")
	}
	x, err := parseExpression(h.expression, &d.settings.limits)
	if err != nil {
		d.in.Rewind(start)
		return d.hidden("")
	}
	described, err := d.describeChosen(h, x)
	if err != nil {
		return Node{}, err
	}
	described.Type = strings.Clone(h.expression)
	return described, closeEnvelope(&d.in)
}

func (d *describer) describeChosen(h header, x *expression) (Node, error) {
	if x.unknownName(d.catalog.types) != nil {
		return d.hidden("")
	}
	return d.describePayload(h, siteOf(d.catalog.types, x, h.version))
}

func (d *describer) describeObject(siteOf func(name string) site) (Node, error) {
	node := Node{Kind: Object}
	empty, err := d.in.OpenObject()
	for more := err == nil && !empty; more; {
		var name string
		if name, err = d.in.Key(); err != nil {
			return Node{}, err
		}
		if name, err = d.in.Own(name); err != nil {
			return Node{}, err
		}
		if err = d.add(&node, name, siteOf(name)); err != nil {
			return Node{}, err
		}
		if more, err = d.in.More('}'); err != nil {
			return Node{}, err
		}
	}
	return node, err
}

func (d *describer) describeArray(element site) (Node, error) {
	node := Node{Kind: Array}
	empty, err := d.in.OpenArray()
	for more := err == nil && !empty; more; {
		if err = d.add(&node, "", element); err != nil {
			return Node{}, err
		}
		if more, err = d.in.More(']'); err != nil {
			return Node{}, err
		}
	}
	return node, err
}

// add describes the next value of an array or object.
func (d *describer) add(to *Node, name string, s site) error {
	if err := d.in.ChargeGrowth(len(to.Nodes), cap(to.Nodes), nodeMemory); err != nil {
		return err
	}
	node, err := d.describeValue(s)
	node.Name = name
	to.Nodes = append(to.Nodes, node)
	return err
}

func (d *describer) describeScalar() (node Node, err error) {
	switch c := d.in.Peek(); {
	case c == '"':
		node.Kind = String
		node.Text, err = d.in.OwnText()
		return node, err
	case c == 't' || c == 'f':
		node.Kind = Bool
	case c == 'n':
		node.Kind = Null
	default:
		node.Kind = Number
	}
	text, err := d.in.Raw()
	if err != nil || node.Kind == Null {
		return node, err
	}
	node.Text, err = d.in.Own(text)
	return node, err
}
