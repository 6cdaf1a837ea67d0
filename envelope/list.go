package envelope

import (
	"reflect"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A listPlan is a slicePlan for elements of a basic type, without reflection on each of them.
type listPlan[E any] struct {
	write func(buf []byte, element E) ([]byte, error)
	read  func(r *jsontext.Reader) (E, error)
}

func (p *listPlan[E]) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	list := *v.Addr().Interface().(*[]E)
	if list == nil {
		return jsontext.AppendNull(buf), nil
	}
	if err := e.open(len(buf), len(list)); err != nil {
		return buf, err
	}
	if buf, err = appendList(buf, list, p.write); err != nil {
		return buf, err
	}
	e.leave()
	return buf, nil
}

func (p *listPlan[E]) decode(d *decoder, v reflect.Value) (err error) {
	if d.in.Null() {
		return nil
	}
	*v.Addr().Interface().(*[]E), err = readList(&d.in, &d.in, p.read)
	return err
}

// appendList writes the elements of a list, in brackets.
func appendList[E any](buf []byte, list []E, write func([]byte, E) ([]byte, error)) (_ []byte, err error) {
	buf = append(buf, '[')
	for i, element := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = write(buf, element); err != nil {
			return buf, withinElement(i, err)
		}
	}
	return append(buf, ']'), nil
}

// readList reads an array into a list, whose elements are read from a source that reads the same text.
func readList[S, E any](in *jsontext.Reader, source S, read func(S) (E, error)) ([]E, error) {
	empty, err := in.OpenArray()
	if err != nil {
		return nil, err
	}
	if empty {
		return []E{}, nil
	}
	size := sizeOf(reflect.TypeFor[E]())
	capacity, err := in.ChargeFirst(size)
	if err != nil {
		return nil, err
	}
	list := make([]E, 0, capacity)
	for i, more := 0, true; more; i++ {
		if err := in.ChargeGrowth(i, cap(list), size); err != nil {
			return nil, err
		}
		element, err := read(source)
		if err != nil {
			return nil, withinElement(i, err)
		}
		list = append(list, element)
		if more, err = in.More(']'); err != nil {
			return nil, err
		}
	}
	return list, nil
}

type (
	signed interface {
		~int | ~int8 | ~int16 | ~int32 | ~int64
	}
	unsigned interface {
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
	}
)

func bitsOf[T any]() int { return reflect.TypeFor[T]().Bits() }

func appendBool(buf []byte, b bool) ([]byte, error) { return strconv.AppendBool(buf, b), nil }

func appendInt[I signed](buf []byte, n I) ([]byte, error) {
	return strconv.AppendInt(buf, int64(n), 10), nil
}

func readInt[I signed](r *jsontext.Reader) (I, error) {
	n, err := r.Int(bitsOf[I]())
	return I(n), err
}

func appendUint[U unsigned](buf []byte, n U) ([]byte, error) {
	return strconv.AppendUint(buf, uint64(n), 10), nil
}

func readUint[U unsigned](r *jsontext.Reader) (U, error) {
	n, err := r.Uint(bitsOf[U]())
	return U(n), err
}

func appendFloat32(buf []byte, f float32) ([]byte, error) {
	return jsontext.AppendFloat(buf, float64(f), 32), nil
}
func appendFloat64(buf []byte, f float64) ([]byte, error) {
	return jsontext.AppendFloat(buf, f, 64), nil
}

func readFloat[F float32 | float64](r *jsontext.Reader) (F, error) {
	f, err := r.Float(bitsOf[F]())
	return F(f), err
}
