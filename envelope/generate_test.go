package envelope_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// A generator makes up types, and values of them.
type generator struct {
	// leaves are the types that others are made up of.
	leaves []reflect.Type
	// keys are the types of map keys.
	keys []reflect.Type
	// tags are the struct tags of fields.
	tags []string
	// rich values are those that plain JSON has no form for: NaN, nil in odd places, any type in interfaces.
	rich bool
}

// commonLeaves are basic and built-in types that we and encoding/json write in the same way.
var commonLeaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Prefix](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[uuid.UUID](), reflect.TypeFor[[]byte](), reflect.TypeFor[any](),
}

// ownLeaves are built-in types that encoding/json writes in other ways, or not at all.
var ownLeaves = []reflect.Type{
	reflect.TypeFor[complex64](), reflect.TypeFor[complex128](),
	reflect.TypeFor[big.Int](), reflect.TypeFor[big.Float](), reflect.TypeFor[big.Rat](),
	reflect.TypeFor[url.URL](), reflect.TypeFor[json.RawMessage](),
}

var commonKeys = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[Label](), reflect.TypeFor[int](), reflect.TypeFor[int8](),
	reflect.TypeFor[uint64](), reflect.TypeFor[Level](), reflect.TypeFor[Code](), reflect.TypeFor[Color](),
	reflect.TypeFor[netip.Addr](), reflect.TypeFor[uuid.UUID](),
}

var ownKeys = []reflect.Type{reflect.TypeFor[bool](), reflect.TypeFor[Flag](), reflect.TypeFor[time.Time]()}

// losslessTags change names only; the others leave values out.
var losslessTags = []string{
	``, ``, `json:"a"`, `json:"A"`, `json:"é"`, `json:"x y"`, `json:"-,"`, `json:"<&>"`,
	`json:",string"`, `json:"b,string"`,
}

var lossyTags = append([]string{
	`json:"-"`, `json:"a,omitempty"`, `json:",omitempty"`, `json:",omitzero"`, `json:"z,omitempty,omitzero,string"`,
}, losslessTags...)

// likeJSON generates what encoding/json can carry, all options of tags included.
var likeJSON = generator{leaves: append(libraryTypes, commonLeaves...), keys: commonKeys, tags: lossyTags}

// lossless generates all that has to arrive as it was sent.
var lossless = generator{
	leaves: append(append(libraryTypes, commonLeaves...), ownLeaves...),
	keys:   append(ownKeys, commonKeys...),
	tags:   losslessTags,
	rich:   true,
}

const (
	deepestType  = 3
	deepestValue = 8
)

// goType makes up a type.
func (g *generator) goType(t *rapid.T, depth int) reflect.Type {
	forms := 6
	if depth >= deepestType {
		forms = 1
	}
	switch rapid.IntRange(0, forms).Draw(t, "form") {
	case 2:
		return reflect.PointerTo(g.goType(t, depth+1))
	case 3:
		return reflect.SliceOf(g.goType(t, depth+1))
	case 4:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "length"), g.goType(t, depth+1))
	case 5:
		return reflect.MapOf(rapid.SampledFrom(g.keys).Draw(t, "key"), g.goType(t, depth+1))
	case 6:
		return g.structType(t, depth)
	}
	return rapid.SampledFrom(g.leaves).Draw(t, "leaf")
}

var fieldNames = []string{"A", "B", "Aa", "AA", "Name", "NAME", "Ünder", "Z9", "B_b"}

// structType makes up a struct, which may embed others.
func (g *generator) structType(t *rapid.T, depth int) reflect.Type {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames), 0, 4, rapid.ID).Draw(t, "fields")
	fields := make([]reflect.StructField, 0, len(names))
	for _, name := range names {
		field := reflect.StructField{Name: name, Tag: reflect.StructTag(rapid.SampledFrom(g.tags).Draw(t, "tag"))}
		if depth < deepestType && rapid.IntRange(0, 4).Draw(t, "embed") == 0 {
			field.Anonymous = true
			field.Type = g.embeddable(t, depth+1)
		} else {
			field.Type = g.goType(t, depth+1)
		}
		fields = append(fields, field)
	}
	return reflect.StructOf(fields)
}

// embeddable makes up a struct, or a pointer to one.
func (g *generator) embeddable(t *rapid.T, depth int) reflect.Type {
	result := g.structType(t, depth)
	if rapid.Bool().Draw(t, "library") {
		result = rapid.SampledFrom([]reflect.Type{
			reflect.TypeFor[Base](), reflect.TypeFor[Middle](), reflect.TypeFor[Shadow](), reflect.TypeFor[Cased](),
			reflect.TypeFor[Nothing](),
		}).Draw(t, "base")
	}
	if rapid.Bool().Draw(t, "pointer") {
		return reflect.PointerTo(result)
	}
	return result
}

// value makes up a value of a type.
func (g *generator) value(t *rapid.T, goType reflect.Type) reflect.Value {
	v := reflect.New(goType).Elem()
	g.fill(t, v, 0, true)
	return v
}

// fill sets v. Unless it may be nil, what it writes as JSON is not null.
func (g *generator) fill(t *rapid.T, v reflect.Value, depth int, mayBeNil bool) {
	if fill, ok := fillers[v.Type()]; ok {
		fill(t, v)
		return
	}
	if g.isNil(t, v.Kind(), depth, mayBeNil) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				g.fill(t, v.Field(i), depth+1, true)
			} else if v.Type().Field(i).Anonymous {
				g.fillEmbedded(t, v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(t, v.Elem(), depth+1, false)
	case reflect.Slice:
		length := rapid.IntRange(0, lengthAt(depth)).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), length, length))
		g.fillElements(t, v, depth)
	case reflect.Array:
		g.fillElements(t, v, depth)
	case reflect.Map:
		g.fillMap(t, v, depth)
	case reflect.Interface:
		g.fillInterface(t, v, depth)
	default:
		g.fillBasic(t, v)
	}
}

// fillEmbedded fills an embedded struct whose own name is unexported.
func (g *generator) fillEmbedded(t *rapid.T, v reflect.Value, depth int) {
	for i := range v.NumField() {
		if v.Field(i).CanSet() {
			g.fill(t, v.Field(i), depth+1, true)
		}
	}
}

func (g *generator) isNil(t *rapid.T, kind reflect.Kind, depth int, mayBeNil bool) bool {
	switch kind {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return mayBeNil && (depth >= deepestValue || rapid.IntRange(0, 3).Draw(t, "nil") == 0)
	}
	return false
}

// lengthAt bounds the size of deep values, so that recursive types come to an end.
func lengthAt(depth int) int { return max(0, 3-depth/2) }

func (g *generator) fillElements(t *rapid.T, v reflect.Value, depth int) {
	for i := range v.Len() {
		g.fill(t, v.Index(i), depth+1, true)
	}
}

func (g *generator) fillMap(t *rapid.T, v reflect.Value, depth int) {
	v.Set(reflect.MakeMap(v.Type()))
	for range rapid.IntRange(0, lengthAt(depth)).Draw(t, "length") {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		g.fill(t, key, depth+1, false)
		g.fill(t, value, depth+1, true)
		if !hasSameKey(v, key) {
			v.SetMapIndex(key, value)
		}
	}
}

// hasSameKey reports whether a key is there that differs in nothing that travels.
func hasSameKey(m, key reflect.Value) bool {
	for _, other := range m.MapKeys() {
		if difference(other.Interface(), key.Interface()) == "" {
			return true
		}
	}
	return false
}

// fillInterface puts a value in an interface: what plain JSON has, or one of any type that has a name.
func (g *generator) fillInterface(t *rapid.T, v reflect.Value, depth int) {
	candidates := plainTypes
	if g.rich {
		candidates = namedTypes
	}
	if v.Type() == reflect.TypeFor[Figure]() {
		candidates = figureTypes
	}
	dynamic := reflect.New(rapid.SampledFrom(candidates).Draw(t, "dynamic")).Elem()
	g.fill(t, dynamic, depth+1, g.rich)
	v.Set(dynamic)
}

func (g *generator) fillBasic(t *rapid.T, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case v.Kind() == reflect.String:
		v.SetString(g.text(t))
	case v.CanInt():
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - v.Type().Bits()))
	case v.CanUint():
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case v.CanFloat():
		v.SetFloat(g.float(t, v.Type().Bits()))
	case v.CanComplex():
		v.SetComplex(complex(g.float(t, v.Type().Bits()/2), g.float(t, v.Type().Bits()/2)))
	default:
		panic(fmt.Sprintf("no values are made up for %s", v.Type()))
	}
}

func (g *generator) text(t *rapid.T) string {
	odd := oddStrings
	if g.rich {
		odd = append(odd, "$envelope", "null")
	}
	return rapid.OneOf(rapid.String(), rapid.SampledFrom(odd)).Draw(t, "string")
}

func (g *generator) float(t *rapid.T, bits int) float64 {
	odd := finiteFloats
	if g.rich {
		odd = oddFloats
	}
	if rapid.Bool().Draw(t, "odd") {
		return rapid.SampledFrom(odd).Draw(t, "float")
	}
	if bits == 32 {
		return float64(rapid.Float32().Draw(t, "float"))
	}
	return rapid.Float64().Draw(t, "float")
}
