package envelope

import (
	"reflect"
	"sync"
)

// A scratch lends values of one type to write from and to read into, where those that are sent or wanted cannot be
// addressed: in interfaces. They are zero when they are lent.
type scratch struct {
	goType reflect.Type
	// pointers are to values for another use. It is nil for types that are too large to keep, and for those whose own code
	// could keep the address of a value.
	pointers *sync.Pool
}

func (s *typeSet) scratchOf(t reflect.Type) scratch {
	if sizeOf(t) > keptBuffer || s.bringsCode(t, map[reflect.Type]bool{}) {
		return scratch{goType: t}
	}
	return scratch{goType: t, pointers: &sync.Pool{New: func() any { return reflect.New(t).Interface() }}}
}

// bringsCode reports whether code of the application takes part in writing or reading values of t: a marshaler, a
// converter or a codec of what they statically hold.
func (s *typeSet) bringsCode(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || isBuiltin(t) {
		return false
	}
	seen[t] = true
	if !s.isByKind(t) {
		return true
	}
	for component := range components(t) {
		if s.bringsCode(component, seen) {
			return true
		}
	}
	return false
}

// A loan is a value that was lent.
type loan struct {
	value   reflect.Value
	pointer any
}

func (s *scratch) lend() loan {
	if s.pointers == nil {
		return loan{value: reflect.New(s.goType).Elem()}
	}
	pointer := s.pointers.Get()
	return loan{value: reflect.ValueOf(pointer).Elem(), pointer: pointer}
}

// takeBack ends a loan. Nothing may refer to the value any more.
func (s *scratch) takeBack(l loan) {
	if s.pointers == nil {
		return
	}
	l.value.SetZero()
	s.pointers.Put(l.pointer)
}
