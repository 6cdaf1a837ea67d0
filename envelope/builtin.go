package envelope

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

const anyName = "any"

var emptyStructType = reflect.TypeFor[struct{}]()

// A builtin is a type that needs no registration.
type builtin struct {
	name   string
	goType reflect.Type
	plan   plan
}

func known[T any](name string, p plan) builtin {
	return builtin{name: name, goType: reflect.TypeFor[T](), plan: p}
}

func basic[T any](name string) builtin {
	return known[T](name, basicPlans[reflect.TypeFor[T]().Kind()])
}

// builtins lists what is known by name without registration.
var builtins = []builtin{
	known[any](anyName, anyPlan{}),
	basic[bool]("bool"),
	basic[string]("string"),
	basic[int]("int"),
	basic[int8]("int8"),
	basic[int16]("int16"),
	basic[int32]("int32"),
	basic[int64]("int64"),
	basic[uint]("uint"),
	basic[uint8]("uint8"),
	basic[uint16]("uint16"),
	basic[uint32]("uint32"),
	basic[uint64]("uint64"),
	basic[uintptr]("uintptr"),
	basic[float32]("float32"),
	basic[float64]("float64"),
	basic[complex64]("complex64"),
	basic[complex128]("complex128"),
	known[time.Time]("time.Time", timePlan{}),
	basic[time.Duration]("time.Duration"),
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
	known[struct{}]("struct", &structPlan{members: newMembers(layout{})}),
}

// quickComposites lists composite types that have plans quicker than those made up from their elements.
var quickComposites = []builtin{
	known[[]byte]("", bytesPlan{}),
	known[[]bool]("", &listPlan[bool]{write: appendBool, read: (*jsontext.Reader).Bool}),
	known[[]string]("", &listPlan[string]{write: jsontext.AppendText, read: (*jsontext.Reader).OwnText}),
	known[[]int]("", &listPlan[int]{write: appendInt[int], read: readInt[int]}),
	known[[]int8]("", &listPlan[int8]{write: appendInt[int8], read: readInt[int8]}),
	known[[]int16]("", &listPlan[int16]{write: appendInt[int16], read: readInt[int16]}),
	known[[]int32]("", &listPlan[int32]{write: appendInt[int32], read: readInt[int32]}),
	known[[]int64]("", &listPlan[int64]{write: appendInt[int64], read: readInt[int64]}),
	known[[]uint]("", &listPlan[uint]{write: appendUint[uint], read: readUint[uint]}),
	known[[]uint16]("", &listPlan[uint16]{write: appendUint[uint16], read: readUint[uint16]}),
	known[[]uint32]("", &listPlan[uint32]{write: appendUint[uint32], read: readUint[uint32]}),
	known[[]uint64]("", &listPlan[uint64]{write: appendUint[uint64], read: readUint[uint64]}),
	known[[]float32]("", &listPlan[float32]{write: appendFloat32, read: readFloat[float32]}),
	known[[]float64]("", &listPlan[float64]{write: appendFloat64, read: readFloat[float64]}),
	known[[]any]("", anyListPlan{}),
	known[map[string]any]("", anyMapPlan{}),
	known[map[string]string]("", stringMapPlan{}),
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
	for _, c := range quickComposites {
		builtinByType[c.goType] = c
	}
	for synonym, name := range synonyms {
		builtinByName[synonym] = builtinByName[name]
	}
}

// isBuiltin reports whether t is known by name without registration.
func isBuiltin(t reflect.Type) bool { return builtinByType[t].name != "" }

// isReserved reports whether a name is not the application's to give.
func isReserved(name string) bool {
	_, ok := builtinByName[name]
	return ok || name == "map"
}
