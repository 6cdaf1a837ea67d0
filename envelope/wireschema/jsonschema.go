package wireschema

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// object is a JSON object. encoding/json sorts its members.
type object = map[string]any

// JSONSchema returns a JSON Schema 2020-12 document for each registered type, by its wire name. A document describes
// the envelope of a value of the type, and of a pointer to one, as it is written now: older versions and aliases, which
// are read too, are not part of it. What the types hold is in its $defs, the data itself under the type's name, so that
// "#/$defs/orders.Order" describes the data alone. Equal schemas give equal documents.
//
// What a marshaler, a codec or an encoding writes is not described further than as any JSON, or as base64.
func (s *Schema) JSONSchema() map[string][]byte {
	documents := map[string][]byte{}
	for _, t := range s.Types {
		if t.Version > 0 {
			documents[t.Name] = s.document(t)
		}
	}
	return documents
}

// document describes the envelopes of a type.
func (s *Schema) document(t Type) []byte {
	d := definitions{schema: s, defs: object{}}
	document := object{
		"$schema": dialect,
		"$id":     "urn:machinery-envelope:" + t.Name,
		"title":   "envelope of " + t.Name,
		"anyOf":   []any{d.envelope(t.Name, t), d.envelope("*"+t.Name, t)},
	}
	document["$defs"] = d.defs
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(document); err != nil {
		panic(err) // strings, numbers, booleans, lists and objects alone
	}
	return text.Bytes()
}

// definitions collects what a document refers to.
type definitions struct {
	schema *Schema
	defs   object
}

// envelope describes an envelope whose type is an expression over a registered type.
func (d *definitions) envelope(expression string, t Type) object {
	members := object{"$envelope": object{"const": 1}, "type": object{"const": expression}}
	required := []any{"$envelope", "type"}
	if t.Version > 1 {
		members["version"] = object{"const": t.Version}
		required = append(required, "version")
	} else {
		members["version"] = false
	}
	data := d.form(expression)
	payload := object{"required": []any{"data"}, "properties": object{"encoding": false, "data": data}}
	members["codec"] = false
	if t.Codec != "" {
		members["codec"] = object{"const": t.Codec}
	}
	if t.Codec != "" && expression == t.Name { // an encoded null has none
		required = append(required, "codec")
	}
	return object{
		"type": "object", "required": required, "properties": members,
		"anyOf": []any{payload, encoded(), kept()},
	}
}

// encoded is an envelope whose data was compressed or encrypted, kept one whose payload is in a store.
func encoded() object {
	return object{"required": []any{"encoding", "data"}, "properties": object{
		"encoding": object{"type": "array", "items": object{"type": "string"}, "minItems": 1},
		"data":     base64(),
	}}
}

func kept() object {
	return object{"required": []any{"ref"}, "properties": object{
		"data": false,
		"ref":  object{"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
	}}
}

func base64() object { return object{"type": "string", "contentEncoding": "base64"} }

func nullable(inner object) object { return object{"anyOf": []any{object{"type": "null"}, inner}} }

func (d *definitions) form(text string) object {
	f, err := ParseForm(text)
	if err != nil {
		return object{}
	}
	return d.parsed(f)
}

func (d *definitions) parsed(f Form) object {
	switch f.Kind {
	case Pointer:
		return nullable(d.parsed(*f.Element))
	case List:
		if f.Element.String() == "uint8" {
			return nullable(base64())
		}
		return nullable(object{"type": "array", "items": d.parsed(*f.Element)})
	case Array:
		return object{"type": "array", "items": d.parsed(*f.Element), "minItems": f.Length, "maxItems": f.Length}
	case Map:
		return nullable(object{"type": "object", "additionalProperties": d.parsed(*f.Element)})
	case OwnText:
		return object{"type": "string"}
	case OwnJSON:
		return object{}
	}
	return d.named(f.Name)
}

func (d *definitions) named(name string) object {
	if described, ok := builtin(name); ok {
		return described
	}
	if _, done := d.defs[name]; !done {
		d.defs[name] = object{} // for what holds itself
		d.defs[name] = d.definition(name)
	}
	return object{"$ref": reference(name)}
}

// pointerEscapes are those of names in JSON pointers.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// reference is a JSON pointer to a definition, as the fragment of a URI.
func reference(name string) string {
	pointer := url.URL{Fragment: "/$defs/" + pointerEscapes.Replace(name)}
	return pointer.String()
}

func (d *definitions) definition(name string) object {
	if i, ok := d.schema.Interface(name); ok {
		return d.choice(i)
	}
	if name == "any" {
		return d.anything()
	}
	t, ok := d.schema.Type(name)
	switch {
	case !ok:
		return object{}
	case t.Codec != "":
		return base64()
	case t.Form != "":
		return d.form(t.Form)
	}
	return d.structure(t)
}

func (d *definitions) structure(t Type) object {
	members, required := object{}, []any{}
	for _, f := range t.Fields {
		members[f.Name] = d.form(f.Form)
		if f.Quoted {
			members[f.Name] = object{"type": []any{"string", "null"}}
		}
		if f.Omitted == "" {
			required = append(required, f.Name)
		}
	}
	return object{"type": "object", "properties": members, "required": required}
}

// choice is what may stand in an interface.
func (d *definitions) choice(i Interface) object {
	choices := []any{object{"type": "null"}}
	for _, name := range i.Types {
		element := strings.TrimPrefix(name, "*")
		if t, ok := d.schema.Type(element); ok {
			choices = append(choices, d.nested("*"+element, t))
			if element == name {
				choices = append(choices, d.nested(element, t))
			}
		}
	}
	return object{"anyOf": choices}
}

// nested is an envelope inside another, which is never encoded.
func (d *definitions) nested(expression string, t Type) object {
	described := d.envelope(expression, t)
	described["anyOf"] = described["anyOf"].([]any)[:1]
	return described
}

// anything is plain JSON, in which everything that has a type of its own is an envelope.
func (d *definitions) anything() object {
	self := object{"$ref": "#/$defs/any"}
	plain := object{"type": "object", "properties": object{"$envelope": false}, "additionalProperties": self}
	envelope := object{
		"type": "object", "required": []any{"$envelope", "type", "data"},
		"properties": object{
			"$envelope": object{"const": 1}, "type": object{"type": "string"},
			"version": object{"type": "integer", "minimum": 1}, "codec": object{"type": "string"}, "encoding": false, "ref": false,
		},
	}
	return object{"anyOf": []any{
		object{"type": []any{"null", "boolean", "number", "string"}}, object{"type": "array", "items": self}, plain, envelope,
	}}
}
