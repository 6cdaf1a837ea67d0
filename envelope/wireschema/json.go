package wireschema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrMalformed is returned for a text that is not that of a schema.
	ErrMalformed = errors.New("not a schema of the wire")
	// ErrNewer is returned for a schema that a newer version of this module has written.
	ErrNewer = errors.New("written by a newer version of this module: upgrade it here")
	// ErrEdited is returned for a schema that is not as it was written.
	ErrEdited = errors.New("edited by hand or merged: take one of its versions from version control")
)

// JSON returns the schema as text. Equal schemas give the same text: entries are in the order of their names, fields,
// parameters and results in their own, and each has a line to itself. It ends with a checksum of the text before, by
// which [Parse] tells a text that was edited.
func (s *Schema) JSON() []byte {
	var w writer
	w.line("{")
	w.line(fmt.Sprintf(` "wire": %d,`, Format))
	w.line(` "settings": ` + compact(s.Settings) + ",")
	w.list("types", len(s.Types), func(i int) {
		t := s.Types[i]
		if t.Form != "" || len(t.Fields) == 0 {
			w.add(compact(t))
			return
		}
		w.open(compact(t), "fields")
		w.params(len(t.Fields), func(i int) any { return t.Fields[i] })
		w.add("]}")
	})
	w.list("interfaces", len(s.Interfaces), func(i int) { w.add(compact(s.Interfaces[i])) })
	w.list("tasks", len(s.Tasks), func(i int) {
		t := s.Tasks[i]
		w.open(compact(t), "params")
		w.params(len(t.Params), func(i int) any { return t.Params[i] })
		w.add(`], "results": [` + "\n")
		w.params(len(t.Results), func(i int) any { return t.Results[i] })
		w.add("]}")
	})
	w.line(` "sum": "` + sum(w.Bytes()) + `"`)
	w.line("}")
	return w.Bytes()
}

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:8])
}

func compact(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // strings, numbers and booleans alone
	}
	return string(bytes.TrimSpace(text.Bytes()))
}

// A writer writes one line for each entry.
type writer struct{ bytes.Buffer }

func (w *writer) line(text string) { w.WriteString(text + "\n") }
func (w *writer) add(text string)  { w.WriteString(text) }

// list writes a member of the schema that has n entries.
func (w *writer) list(name string, n int, entry func(i int)) {
	w.line(` "` + name + `": [`)
	for i := range n {
		w.add("  ")
		entry(i)
		w.end(i, n)
	}
	w.line(" ],")
}

func (w *writer) end(i, n int) {
	if i < n-1 {
		w.add(",")
	}
	w.add("\n")
}

// open writes an object without its end, with a last member that is a list.
func (w *writer) open(object, member string) {
	w.line(object[:len(object)-1] + `, "` + member + `": [`)
}

func (w *writer) params(n int, of func(i int) any) {
	for i := range n {
		w.add("   " + compact(of(i)))
		w.end(i, n)
	}
	w.add("  ")
}

// The text as it is read.
type (
	document struct {
		Wire       int         `json:"wire"`
		Settings   Settings    `json:"settings"`
		Types      []typeEntry `json:"types"`
		Interfaces []Interface `json:"interfaces"`
		Tasks      []taskEntry `json:"tasks"`
		Sum        string      `json:"sum"`
	}
	typeEntry struct {
		Type
		Fields []Field `json:"fields"`
	}
	taskEntry struct {
		Task
		Params  []Param `json:"params"`
		Results []Param `json:"results"`
	}
)

// Parse reads what [Schema.JSON] wrote. It returns ErrMalformed, ErrNewer or ErrEdited.
func Parse(text []byte) (*Schema, error) {
	var version struct {
		Wire int `json:"wire"`
	}
	if err := json.Unmarshal(text, &version); err != nil || version.Wire < 1 {
		return nil, ErrMalformed
	}
	if version.Wire > Format {
		return nil, fmt.Errorf("%w (format %d, known is %d)", ErrNewer, version.Wire, Format)
	}
	var read document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return nil, ErrEdited
	}
	s := read.schema()
	if !bytes.Equal(s.JSON(), bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) {
		return nil, ErrEdited
	}
	return s, nil
}

func (d *document) schema() *Schema {
	s := &Schema{Settings: d.Settings, Interfaces: d.Interfaces}
	for _, t := range d.Types {
		t.Type.Fields = t.Fields
		s.Types = append(s.Types, t.Type)
	}
	for _, t := range d.Tasks {
		t.Task.Params, t.Task.Results = t.Params, t.Results
		s.Tasks = append(s.Tasks, t.Task)
	}
	return s
}
