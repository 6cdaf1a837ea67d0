package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// Without MaxMemory, what is read from an envelope may take so many bytes for each byte received, and so many bytes in
// any case.
const (
	memoryPerByte = 64
	minMemory     = 64 << 20
)

// What reading takes besides the size of the values, in bytes, rounded up.
const (
	boxMemory          = 24   // what an interface refers to: a string, a number or a list
	mapMemory          = 48   // a map without entries
	nameMemory         = 96   // a name in a set of names
	urlMemory          = 1024 // a URL besides its text: itself, and what is made to check it
	quotedMemory       = 64
	bigMemory          = 128
	perExpressionByte  = 128 // a type expression that is not known yet, for each of its bytes
	perURLByte         = 8
	perRatByte         = 16
	perBigFloatByte    = 4
	perUnmarshalerByte = 8
)

// memory returns how much memory reading an envelope may take, of which so many bytes were received.
func (l *Limits) memory(received int) int64 {
	if l.MaxMemory > 0 {
		return int64(l.MaxMemory)
	}
	return max(minMemory, memoryPerByte*int64(received))
}

// minAllocation is the least that Go allocates for a value that holds a pointer, in bytes.
const minAllocation = 8

// sizeOf returns the size of the values of t, in bytes.
func sizeOf(t reflect.Type) int64 { return int64(t.Size()) }

// newValue returns a new value of type t, which can be addressed.
func (d *decoder) newValue(t reflect.Type) (reflect.Value, error) {
	if err := d.in.Charge(sizeOf(t)); err != nil {
		return reflect.Value{}, err
	}
	return reflect.New(t).Elem(), nil
}

const (
	// The entries of a map lie in groups of so many slots, and what is larger than this outside of them.
	slotsPerGroup = 8
	maxInSlot     = 128
	// slotsPerEntry are allocated for each entry of a large map until it has grown to its size: tables double when they
	// are seven eighths full.
	slotsPerEntry = 5
)

// An entryMemory is what the entries of a map take.
type entryMemory struct {
	slot    int64
	outside int64
}

func entryMemoryOf(t reflect.Type) entryMemory {
	m := entryMemory{slot: 2}
	for _, part := range []reflect.Type{t.Key(), t.Elem()} {
		size := sizeOf(part)
		if size > maxInSlot {
			m.outside += size
			size = sizeOf(reflect.TypeFor[uintptr]())
		}
		m.slot += (size + 7) &^ 7
	}
	return m
}

// charge charges for one more entry of a map that has so many.
func (m entryMemory) charge(b *jsontext.Budget, entries int) error {
	switch {
	case entries == 0:
		return b.Charge(slotsPerGroup*m.slot + m.outside)
	case entries < slotsPerGroup:
		return b.Charge(m.outside)
	case entries == slotsPerGroup:
		return b.Charge(2*slotsPerGroup*m.slot + m.outside + 2*mapMemory)
	}
	return b.Charge(slotsPerEntry*m.slot + m.outside)
}
