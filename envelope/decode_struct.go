package envelope

import (
	"reflect"
	"strings"
)

// A fieldSet notes which fields were read.
type fieldSet struct {
	first uint64
	rest  map[int]struct{}
}

// add notes the field and tells whether it is new.
func (s *fieldSet) add(i int) bool {
	if i < 64 {
		bit := uint64(1) << i
		added := s.first&bit == 0
		s.first |= bit
		return added
	}
	if s.rest == nil {
		s.rest = map[int]struct{}{}
	}
	before := len(s.rest)
	s.rest[i] = struct{}{}
	return len(s.rest) > before
}

func (p *structPlan) decode(d *decoder, v reflect.Value) error {
	empty, err := d.open('{', '}', "an object")
	if err != nil || empty {
		return err
	}
	var read fieldSet
	var unknown map[string]struct{}
	for next, more := 0, true; more; {
		position, name, err := p.nextField(d, next)
		if err != nil {
			return err
		}
		if position < 0 {
			if unknown, err = d.ignore(name, unknown); err != nil {
				return withinEntry(err)
			}
		} else {
			f := &p.fields[position]
			if !read.add(position) {
				return withinField(f.goName, malformed("duplicate name"))
			}
			if err := f.plan.decode(d, f.in(v)); err != nil {
				return withinField(f.goName, err)
			}
			next = position + 1
		}
		if more, err = d.more('}'); err != nil {
			return err
		}
	}
	return nil
}

// guesses is how many fields, from the expected one, are tried before a name is looked up: some may be left out.
const guesses = 4

// nextField reads a member's name, which is most often that of the expected field, and finds its field: -1 if
// there is none.
func (p *structPlan) nextField(d *decoder, expected int) (position int, name string, err error) {
	d.peek()
	for guess := expected; guess < min(expected+guesses, len(p.fields)); guess++ {
		quotedName := p.fields[guess].quotedName
		if strings.HasPrefix(d.in[d.pos:], quotedName) {
			d.pos += len(quotedName)
			return guess, "", nil
		}
	}
	name, err = d.key()
	if err != nil {
		return -1, "", err
	}
	if position, ok := p.byName[name]; ok {
		return position, name, nil
	}
	if position, ok := p.folded[fold(name)]; ok {
		return position, name, nil
	}
	return -1, name, nil
}

// in finds the field in a struct, making what embedded pointers on the way lack.
func (f *structField) in(v reflect.Value) reflect.Value {
	if f.direct >= 0 {
		return v.Field(f.direct)
	}
	for i, at := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v
}

// ignore skips a member that no field is there for, unless that is to be refused.
func (d *decoder) ignore(name string, earlier map[string]struct{}) (map[string]struct{}, error) {
	if d.settings.refuseUnknown {
		return nil, mismatch("no field for this member")
	}
	earlier, err := remember(name, earlier)
	if err != nil {
		return nil, err
	}
	return earlier, d.skip()
}

// remember adds a name to those that were read, and refuses to read it twice.
func remember(name string, earlier map[string]struct{}) (map[string]struct{}, error) {
	if earlier == nil {
		earlier = map[string]struct{}{}
	}
	if _, ok := earlier[name]; ok {
		return nil, malformed("duplicate name")
	}
	earlier[name] = struct{}{}
	return earlier, nil
}
