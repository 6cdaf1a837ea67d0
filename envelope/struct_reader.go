package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A fieldSet notes which fields were read.
type fieldSet struct {
	first uint64
	rest  map[int]struct{}
}

// add notes the field and reports whether it is new.
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
	empty, err := d.in.OpenObject()
	if err != nil || empty {
		return err
	}
	var read fieldSet
	var unknown nameSet
	expected := 0
	position, name, err := p.memberName(d, expected)
	for more := true; more && err == nil; {
		if position >= 0 {
			err = p.decodeField(d, v, position, &read)
			expected = position + 1
		} else if err = skipUnknown(d, name, &unknown); err != nil {
			err = withinEntry(err)
		}
		if err != nil {
			return err
		}
		if expected < len(p.fields) && d.in.TakePrefix(p.fields[expected].member) {
			position = expected
		} else if more, err = d.in.More('}'); more {
			position, name, err = p.memberName(d, expected)
		}
	}
	return err
}

func (p *structPlan) decodeField(d *decoder, v reflect.Value, position int, read *fieldSet) (err error) {
	f := &p.fields[position]
	if !read.add(position) {
		return withinField(f.goName, errDuplicateName())
	}
	if f.direct >= 0 {
		err = f.plan.decode(d, v.Field(f.direct))
	} else {
		err = f.decodeBehind(d, v)
	}
	if err != nil {
		return withinField(f.goName, err)
	}
	return nil
}

// guesses is how many fields, from the expected one, are tried before a name is looked up: some may be left out.
const guesses = 4

// memberName reads a member's name, which is most often that of the expected field, and finds its field: -1 if there is
// none.
func (p *structPlan) memberName(d *decoder, expected int) (position int, name string, err error) {
	d.in.Peek()
	for guess := expected; guess < min(expected+guesses, len(p.fields)); guess++ {
		if d.in.TakePrefix(p.fields[guess].member[len(","):]) {
			return guess, "", nil
		}
	}
	name, err = d.in.Key()
	if err != nil {
		return -1, "", err
	}
	if position, ok := p.members.named(name); ok {
		return position, name, nil
	}
	if err := d.in.Charge(int64(2 * len(name))); err != nil {
		return -1, "", err
	}
	if position, ok := p.members.likeNamed(name); ok {
		return position, name, nil
	}
	return -1, name, nil
}

// decodeBehind reads a field that is reached by embedding.
func (f *structField) decodeBehind(d *decoder, v reflect.Value) error {
	v, err := f.behind(d, v)
	if err != nil {
		return err
	}
	return f.plan.decode(d, v)
}

// behind finds a field by way of embedded structs, making what pointers to them lack.
func (f *structField) behind(d *decoder, v reflect.Value) (reflect.Value, error) {
	for i, at := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				made, err := d.newValue(v.Type().Elem())
				if err != nil {
					return v, err
				}
				v.Set(made.Addr())
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v, nil
}

// skipUnknown reads past a member that the struct has no field for, or refuses it if the registry says so.
func skipUnknown(d *decoder, name string, earlier *nameSet) error {
	if d.settings.refuseUnknown {
		return faults.Mismatch("no field for this member")
	}
	if err := earlier.add(&d.in, name); err != nil {
		return err
	}
	return d.in.Skip()
}
