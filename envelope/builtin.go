package envelope

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/google/uuid"
)

const anyName = "any"

// A builtin is a type that needs no registration.
type builtin struct {
	name   string
	goType reflect.Type
	plan   plan
}

func known[T any](name string, p plan) builtin {
	return builtin{name: name, goType: reflect.TypeFor[T](), plan: p}
}

// builtins lists what is known by name without registration.
var builtins = []builtin{
	known[any](anyName, anyPlan{}),
	known[bool]("bool", boolPlan{}),
	known[string]("string", stringPlan{}),
	known[int]("int", intPlan{}),
	known[int8]("int8", intPlan{}),
	known[int16]("int16", intPlan{}),
	known[int32]("int32", intPlan{}),
	known[int64]("int64", intPlan{}),
	known[uint]("uint", uintPlan{}),
	known[uint8]("uint8", uintPlan{}),
	known[uint16]("uint16", uintPlan{}),
	known[uint32]("uint32", uintPlan{}),
	known[uint64]("uint64", uintPlan{}),
	known[uintptr]("uintptr", uintPlan{}),
	known[float32]("float32", floatPlan{}),
	known[float64]("float64", floatPlan{}),
	known[complex64]("complex64", complexPlan{}),
	known[complex128]("complex128", complexPlan{}),
	known[time.Time]("time.Time", timePlan{}),
	known[time.Duration]("time.Duration", intPlan{}),
	known[big.Int]("big.Int", bigIntPlan{}),
	known[big.Float]("big.Float", bigFloatPlan{}),
	known[big.Rat]("big.Rat", bigRatPlan{}),
	known[url.URL]("url.URL", urlPlan{}),
	known[netip.Addr]("netip.Addr", checkedTextPlan[netip.Addr]{}),
	known[netip.AddrPort]("netip.AddrPort", checkedTextPlan[netip.AddrPort]{}),
	known[netip.Prefix]("netip.Prefix", checkedTextPlan[netip.Prefix]{}),
	known[json.RawMessage]("json.RawMessage", rawPlan{}),
	known[json.Number]("json.Number", numberPlan{}),
	known[uuid.UUID]("uuid.UUID", textPlan{}),
}

// composites lists composite types that have plans quicker than those made up from their elements.
var composites = []builtin{
	known[[]byte]("", bytesPlan{}),
	known[[]bool]("", listPlan[bool]{write: appendBool, read: (*decoder).bool}),
	known[[]string]("", listPlan[string]{write: appendText, read: (*decoder).ownText}),
	known[[]int]("", listPlan[int]{write: appendInt[int], read: readInt[int]}),
	known[[]int8]("", listPlan[int8]{write: appendInt[int8], read: readInt[int8]}),
	known[[]int16]("", listPlan[int16]{write: appendInt[int16], read: readInt[int16]}),
	known[[]int32]("", listPlan[int32]{write: appendInt[int32], read: readInt[int32]}),
	known[[]int64]("", listPlan[int64]{write: appendInt[int64], read: readInt[int64]}),
	known[[]uint]("", listPlan[uint]{write: appendUint[uint], read: readUint[uint]}),
	known[[]uint16]("", listPlan[uint16]{write: appendUint[uint16], read: readUint[uint16]}),
	known[[]uint32]("", listPlan[uint32]{write: appendUint[uint32], read: readUint[uint32]}),
	known[[]uint64]("", listPlan[uint64]{write: appendUint[uint64], read: readUint[uint64]}),
	known[[]float32]("", listPlan[float32]{write: appendFloat32, read: readFloat[float32]}),
	known[[]float64]("", listPlan[float64]{write: appendFloat64, read: readFloat[float64]}),
	known[[]any]("", anyListPlan{}),
	known[map[string]any]("", anyMapPlan{}),
	known[map[string]string]("", stringMapPlan{}),
}

// basicPlans are the plans of named types without marshalers, by kind.
var basicPlans = map[reflect.Kind]plan{
	reflect.Bool:       boolPlan{},
	reflect.String:     stringPlan{},
	reflect.Int:        intPlan{},
	reflect.Int8:       intPlan{},
	reflect.Int16:      intPlan{},
	reflect.Int32:      intPlan{},
	reflect.Int64:      intPlan{},
	reflect.Uint:       uintPlan{},
	reflect.Uint8:      uintPlan{},
	reflect.Uint16:     uintPlan{},
	reflect.Uint32:     uintPlan{},
	reflect.Uint64:     uintPlan{},
	reflect.Uintptr:    uintPlan{},
	reflect.Float32:    floatPlan{},
	reflect.Float64:    floatPlan{},
	reflect.Complex64:  complexPlan{},
	reflect.Complex128: complexPlan{},
}

// synonyms are further names that are read for built-in types; they are never written.
var synonyms = map[string]string{"byte": "uint8", "rune": "int32"}

var (
	builtinByName = map[string]builtin{}
	builtinByType = map[reflect.Type]builtin{}
)

func init() {
	for _, b := range builtins {
		builtinByName[b.name] = b
		builtinByType[b.goType] = b
	}
	for _, c := range composites {
		builtinByType[c.goType] = c
	}
	for synonym, name := range synonyms {
		builtinByName[synonym] = builtinByName[name]
	}
}

// isReserved tells whether a name is not the application's to give.
func isReserved(name string) bool {
	_, ok := builtinByName[name]
	return ok || name == "map"
}
