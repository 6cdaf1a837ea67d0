package differential

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"pgregory.net/rapid"
)

func TestAnyValueUnderAnyType(t *testing.T) {
	bare, installed := newSides(t, transports[0])
	bare.work(t, bare.guarded())
	installed.work(t, installed.worker())
	var tasksSent atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		arg := tasks.Arg{Type: rapid.SampledFrom(types).Draw(t, "type"), Value: made(t, 3)}
		if isProtected(arg) {
			t.Skip("differs on purpose; the table has it")
		}
		compareArgument(t, bare, installed, fmt.Sprint("any ", tasksSent.Add(1)), arg)
	})
}

// made is a value of the table, or pointers, slices, arrays and maps of such values.
func made(t *rapid.T, depth int) any {
	value := rapid.SampledFrom(values).Draw(t, "value")
	for range rapid.IntRange(0, depth).Draw(t, "depth") {
		value = within(t, value)
	}
	return value
}

// within puts a value in another one, under its own type or as an any.
func within(t *rapid.T, value any) any {
	v := reflect.ValueOf(&value).Elem()
	if value != nil && rapid.Bool().Draw(t, "static") {
		v = v.Elem()
	}
	switch rapid.SampledFrom([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}).Draw(t, "kind") {
	case reflect.Pointer:
		pointer := reflect.New(v.Type())
		pointer.Elem().Set(v)
		return pointer.Interface()
	case reflect.Slice:
		slice := reflect.MakeSlice(reflect.SliceOf(v.Type()), 0, 2)
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			slice = reflect.Append(slice, v)
		}
		return slice.Interface()
	case reflect.Array:
		array := reflect.New(reflect.ArrayOf(1, v.Type())).Elem()
		array.Index(0).Set(v)
		return array.Interface()
	default:
		m := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), v.Type()))
		m.SetMapIndex(reflect.ValueOf("key"), v)
		return m.Interface()
	}
}
