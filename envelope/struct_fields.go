package envelope

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A field is a struct field as encoding/json sees it, found directly or by embedding.
type field struct {
	name   string // on the wire
	goName string // in paths
	goType reflect.Type
	index  []int
	tagged bool
	quoted bool
	omit   omission
}

// A layout is what a struct consists of on the wire.
type layout struct {
	fields []field
	// hidden leads to fields that others with the same name hide, and to embedded structs that do not show.
	hidden []hiddenField
	// pointers are the embedded pointers, which would get lost if nothing behind them were written.
	pointers []embeddedPointer
	// unexported are the fields that would be dropped for being so.
	unexported []droppedField
	// unsettable leads to embedded pointers to unexported structs, which cannot be set.
	unsettable []hiddenField
}

// An embeddedPointer leads to fields behind it. If none of them can be reached it arrives as nil.
type embeddedPointer struct {
	hiddenField
	fields [][]int
}

// A droppedField is an unexported field of the struct itself, or of one that it embeds.
type droppedField struct {
	owner  reflect.Type
	goName string
}

type hiddenField struct {
	index  []int
	goName string
}

// An embedding is an embedded struct whose fields are yet to be looked at.
type embedding struct {
	goType reflect.Type
	index  []int
	goName string
	// owner is the outermost struct, or the nearest embedded one that could be registered to travel as a whole.
	owner reflect.Type
}

// A layoutFinder works out the layout of a struct type, level by level of embedding.
type layoutFinder struct {
	types *typeSet
	found layout
}

func (s *typeSet) layoutOf(t reflect.Type) layout {
	finder := layoutFinder{types: s}
	return finder.find(t)
}

func (l *layoutFinder) find(t reflect.Type) layout {
	visited := map[reflect.Type]bool{}
	for level := []embedding{{goType: t, owner: t}}; len(level) > 0; {
		count := map[reflect.Type]int{}
		for _, e := range level {
			count[e.goType]++
		}
		var next []embedding
		explored := map[reflect.Type]bool{}
		for _, e := range level {
			if visited[e.goType] || explored[e.goType] {
				l.found.hidden = append(l.found.hidden, hiddenField{index: e.index, goName: e.goName})
				continue
			}
			explored[e.goType] = true
			next = append(next, l.explore(e, count[e.goType])...)
		}
		for inner := range explored {
			visited[inner] = true
		}
		level = next
	}
	l.found.resolveNames()
	return l.found
}

// explore adds the fields of one struct to what is found, and returns the structs that it embeds. A struct that is
// embedded more than once at its level hides its own fields, which is why they are added twice.
func (l *layoutFinder) explore(e embedding, count int) (next []embedding) {
	for i := range e.goType.NumField() {
		source := e.goType.Field(i)
		tag := source.Tag.Get("json")
		if tag == "-" || source.Name == "_" {
			continue
		}
		if !source.IsExported() && !isEmbeddedStruct(source) {
			l.found.drop(e, source)
			continue
		}
		f := newField(source, tag, append(slices.Clone(e.index), i), e.nameOf(source))
		if !f.tagged && isEmbeddedStruct(source) && !l.types.isWhole(embeddedType(source)) {
			if source.Type.Kind() == reflect.Pointer {
				l.found.embedPointer(source, f)
			}
			next = append(next, e.into(source, f))
			continue
		}
		if !source.IsExported() && !l.isReachable(source) {
			l.found.drop(e, source)
			continue
		}
		for range min(count, 2) {
			l.found.fields = append(l.found.fields, f)
		}
	}
	return next
}

func (l *layout) embedPointer(source reflect.StructField, f field) {
	pointer := hiddenField{index: f.index, goName: f.goName}
	l.pointers = append(l.pointers, embeddedPointer{hiddenField: pointer})
	if !source.IsExported() {
		l.unsettable = append(l.unsettable, pointer)
	}
}

// isReachable reports whether the fields of an embedded struct can be set though its own name is unexported.
func (l *layoutFinder) isReachable(source reflect.StructField) bool {
	return source.Type.Kind() == reflect.Struct && !l.types.isWhole(source.Type) && hasNoMarshalers(source.Type)
}

func (l *layout) drop(e embedding, source reflect.StructField) {
	l.unexported = append(l.unexported, droppedField{owner: e.owner, goName: e.nameOf(source)})
}

// nameOf returns the name of a field as it is reached from the outermost struct.
func (e *embedding) nameOf(source reflect.StructField) string {
	if e.goName == "" {
		return source.Name
	}
	return e.goName + "." + source.Name
}

func embeddedType(source reflect.StructField) reflect.Type {
	if source.Type.Kind() == reflect.Pointer {
		return source.Type.Elem()
	}
	return source.Type
}

func isEmbeddedStruct(source reflect.StructField) bool {
	return source.Anonymous && embeddedType(source).Kind() == reflect.Struct
}

// into goes on to a struct that is embedded.
func (e *embedding) into(source reflect.StructField, f field) embedding {
	inner := embedding{goType: embeddedType(source), index: f.index, goName: f.goName, owner: e.owner}
	if source.IsExported() {
		inner.owner = inner.goType
	}
	return inner
}

func newField(source reflect.StructField, tag string, index []int, goName string) field {
	name, options, _ := strings.Cut(tag, ",")
	if !isTagName(name) {
		name = ""
	}
	return field{
		name:   cmp.Or(name, source.Name),
		goName: goName,
		goType: source.Type,
		index:  index,
		tagged: name != "",
		quoted: hasOption(options, "string") && canBeQuoted(source.Type),
		omit:   omissionOf(source.Type, options),
	}
}

func hasOption(options, option string) bool {
	for candidate := range strings.SplitSeq(options, ",") {
		if candidate == option {
			return true
		}
	}
	return false
}

// isTagName reports whether encoding/json would take the name in a tag.
func isTagName(name string) bool {
	for _, c := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return name != ""
}

// canBeQuoted reports whether the option "string" in a tag means anything for the type.
func canBeQuoted(t reflect.Type) bool {
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	_, ok := basicPlans[t.Kind()]
	return ok && t.Kind() != reflect.Complex64 && t.Kind() != reflect.Complex128
}

// resolveNames keeps, of the fields with one name, the one that Go's and encoding/json's rules let win, if any.
func (l *layout) resolveNames() {
	byName := map[string][]field{}
	for _, f := range l.fields {
		byName[f.name] = append(byName[f.name], f)
	}
	var winners []field
	for _, rivals := range byName {
		winner, ok := dominant(rivals)
		if ok {
			winners = append(winners, winner)
		}
		for _, rival := range rivals {
			if !ok || !slices.Equal(rival.index, winner.index) {
				l.hidden = append(l.hidden, hiddenField{index: rival.index, goName: rival.goName})
			}
		}
	}
	slices.SortFunc(winners, func(a, b field) int { return slices.Compare(a.index, b.index) })
	slices.SortFunc(l.hidden, func(a, b hiddenField) int { return slices.Compare(a.index, b.index) })
	l.hidden = slices.CompactFunc(l.hidden, func(a, b hiddenField) bool { return slices.Equal(a.index, b.index) })
	l.fields = winners
	l.findBehindPointers()
}

// findBehindPointers finds the fields that are reached by each embedded pointer.
func (l *layout) findBehindPointers() {
	for i := range l.pointers {
		pointer := &l.pointers[i]
		for _, f := range l.fields {
			if pointer.leadsTo(f.index) {
				pointer.fields = append(pointer.fields, f.index)
			}
		}
	}
}

// leadsTo reports whether the field with the given index is behind the pointer.
func (p *embeddedPointer) leadsTo(index []int) bool {
	return len(index) > len(p.index) && slices.Equal(index[:len(p.index)], p.index)
}

// dominant picks the field nearest to the root, then the one with a name in its tag; ties are won by none.
func dominant(rivals []field) (field, bool) {
	slices.SortStableFunc(rivals, func(a, b field) int {
		if byDepth := cmp.Compare(len(a.index), len(b.index)); byDepth != 0 {
			return byDepth
		}
		return cmp.Compare(rank(a), rank(b))
	})
	first := rivals[0]
	if len(rivals) == 1 {
		return first, true
	}
	second := rivals[1]
	return first, len(first.index) != len(second.index) || first.tagged != second.tagged
}

func rank(f field) int {
	if f.tagged {
		return 0
	}
	return 1
}
