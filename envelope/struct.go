package envelope

import (
	"reflect"
	"unicode"
	"unicode/utf8"
)

// A structPlan writes a struct as an object with its fields in the order of their definition.
type structPlan struct {
	fields []structField
	byName map[string]int
	// folded finds fields by names that differ in case only; encoding/json does so too.
	folded map[string]int
	// hidden are fields that do not travel, and are refused unless they are zero.
	hidden []hiddenField
	// pointers are embedded, and are refused unless something behind them travels.
	pointers []embeddedPointer
}

type structField struct {
	field
	plan plan
	// quotedName is the name as it begins a member: "name":
	quotedName string
	// direct is the index of a field that is not reached by embedding, else -1.
	direct int
}

func (p *planner) structure(t reflect.Type) plan {
	result := keep(p, t, &structPlan{byName: map[string]int{}, folded: map[string]int{}})
	found := p.catalog.layoutOf(t)
	for _, pointer := range found.sealed {
		p.failAt("."+pointer.goName, unsupported("embedded pointer to an unexported struct cannot be set"))
	}
	registered := p.catalog.byType[t]
	if registered == nil || !registered.ignoreUnexported {
		p.refuseDropped(t, found.unexported)
	}
	result.hidden, result.pointers = found.hidden, found.pointers
	for _, f := range found.fields {
		result.add(p.structField(f))
	}
	return result
}

// refuseDropped notes the unexported fields of t, which would be lost in silence.
func (p *planner) refuseDropped(t reflect.Type, dropped []droppedField) {
	fault := faultf(ErrUnsupported, "unexported field would be dropped: register %s with IgnoreUnexported or Convert", t)
	if t.Name() == "" {
		fault = unsupported("unexported field would be dropped: define a type and register it with IgnoreUnexported or Convert")
	}
	for _, field := range dropped {
		out := p.in(field.owner)
		p.failAt("."+field.goName, fault)
		out()
	}
}

func (p *planner) structField(f field) structField {
	result := structField{field: f, direct: -1, plan: p.step("."+f.goName, f.goType)}
	if len(f.index) == 1 {
		result.direct = f.index[0]
	}
	if f.quoted && p.catalog.isPlain(f.goType) {
		result.plan = newQuotedPlan(f.goType, result.plan)
	}
	quotedName, err := appendText(nil, f.name)
	if err != nil {
		p.fail(err)
	}
	result.quotedName = string(quotedName) + ":"
	return result
}

func (p *structPlan) add(f structField) {
	position := len(p.fields)
	p.fields = append(p.fields, f)
	p.byName[f.name] = position
	if _, ok := p.folded[fold(f.name)]; !ok {
		p.folded[fold(f.name)] = position
	}
}

// fold maps names that differ in case only to one.
func fold(name string) string {
	folded := make([]byte, 0, len(name))
	for _, r := range name {
		folded = utf8.AppendRune(folded, smallestFold(r))
	}
	return string(folded)
}

// smallestFold returns the smallest of the runes that differ from r in case only.
func smallestFold(r rune) rune {
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}
