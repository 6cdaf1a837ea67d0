package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types of kinds that are rarely sent, but that a message may be for.
type (
	oddByte   uint8
	oddDigit  uint8 // written as text
	oddBytes  []oddByte
	oddDigits []oddDigit
	oddList   []oddList
	oddMap    map[string]oddMap
	oddFixed  [2]*oddFixed
	oddArrays struct {
		Any     [2]any
		Figures [2]Figure
		None    [0]any
		Nested  [1][2][0]oddList
		Bytes   [3]oddByte
		Digits  [2]oddDigit
		Marks   [2]struct{}
	}
	oddKey  struct{ Side, Number int8 } // written as text
	oddKeys struct {
		Structs map[oddKey]*oddKey
		Digits  map[oddDigit]oddDigits
		Bytes   map[oddByte]struct{}
		Sets    map[string]struct{}
		Empty   map[oddKey][0]int
		Lists   map[int8]oddList
	}
	oddPlain struct{ Plain int }
	OddBase  struct {
		Base *int
		*OddDeep
	}
	OddDeep struct {
		Deep any
		*OddSelf
	}
	OddSelf struct {
		*OddSelf
		Self []oddByte
	}
	OddGeneric[K comparable, V any] struct {
		Entries map[K]V
		Next    *OddGeneric[K, V]
	}
	oddEmbeds struct {
		oddPlain
		*OddBase
		OddGeneric[oddKey, any]
		Quoted *int  `json:",string"`
		Own    *int8 `json:"own,string"`
		Lower  string
		LOWER  *string
	}
	oddRaw struct {
		Raw    json.RawMessage
		RawP   *json.RawMessage
		Number json.Number
		Raws   map[string]json.RawMessage
		Blobs  [][]byte
		Blob   []oddByte
		Many   []**oddMap
	}
	oddConverted struct{ parts []any }
)

var errOdd = errors.New("not an odd text")

func (d oddDigit) MarshalText() ([]byte, error) { return []byte{'0' + byte(d)%10}, nil }

func (d *oddDigit) UnmarshalText(text []byte) error {
	if len(text) != 1 || text[0] < '0' || text[0] > '9' {
		return errOdd
	}
	*d = oddDigit(text[0] - '0')
	return nil
}

func (k oddKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%d", k.Side, k.Number), nil
}

func (k *oddKey) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d/%d", &k.Side, &k.Number)
	return err
}

func oddToWire(_ context.Context, c oddConverted) ([]any, error)   { return c.parts, nil }
func oddFromWire(_ context.Context, w []any) (oddConverted, error) { return oddConverted{w}, nil }

func newOdd(t require.TestingT, opts ...envelope.Option) *envelope.Registry {
	r := envelope.NewRegistry(opts...)
	registerFigures(t, r)
	require.NoError(t, envelope.Register[oddBytes](r, "odd.Bytes"))
	require.NoError(t, envelope.Register[oddDigits](r, "odd.Digits"))
	require.NoError(t, envelope.Register[oddDigit](r, "odd.Digit"))
	require.NoError(t, envelope.Register[oddList](r, "odd.List"))
	require.NoError(t, envelope.Register[oddMap](r, "odd.Map"))
	require.NoError(t, envelope.Register[oddFixed](r, "odd.Fixed"))
	require.NoError(t, envelope.Register[oddArrays](r, "odd.Arrays"))
	require.NoError(t, envelope.Register[oddKey](r, "odd.Key"))
	require.NoError(t, envelope.Register[oddKeys](r, "odd.Keys"))
	require.NoError(t, envelope.Register[oddEmbeds](r, "odd.Embeds"))
	require.NoError(t, envelope.Register[OddSelf](r, "odd.Self"))
	require.NoError(t, envelope.Register[OddGeneric[oddDigit, []any]](r, "odd.Generic"))
	require.NoError(t, envelope.Register[oddRaw](r, "odd.Raw"))
	require.NoError(t, envelope.Register[oddConverted](r, "odd.Converted", envelope.Convert(oddToWire, oddFromWire)))
	require.NoError(t, r.Check())
	return r
}

var oddNames = []string{
	"odd.Bytes", "odd.Digits", "odd.Digit", "odd.List", "odd.Map", "odd.Fixed", "odd.Arrays", "odd.Key", "odd.Keys",
	"odd.Embeds", "odd.Self", "odd.Generic", "odd.Raw", "odd.Converted", "struct", "any", "json.RawMessage", "big.Int", "json.Number",
	"library.Box", "library.Disc", "library.Sketch", "library.Figure", "uint8", "string", "int", "bool", "time.Time", "url.URL", "complex64",
}

// An oddMessage makes up messages that are well-formed and often fit their types.
type oddMessage struct{ t *rapid.T }

func (m oddMessage) pick(options ...string) string {
	return rapid.SampledFrom(options).Draw(m.t, "pick")
}

func (m oddMessage) expression(depth int) string {
	if depth > 2 || rapid.Bool().Draw(m.t, "named") {
		return rapid.SampledFrom(oddNames).Draw(m.t, "name")
	}
	prefix := m.pick("*", "[]", "[0]", "[2]", "map[string]", "map[odd.Key]", "map[odd.Digit]", "map[int]", "map[struct]", "map[bool]")
	return prefix + m.expression(depth+1)
}

func (m oddMessage) value(depth int) string {
	if depth > 4 {
		return m.leaf()
	}
	switch rapid.IntRange(0, 5).Draw(m.t, "form") {
	case 0:
		return opened(m.expression(0), m.value(depth+1))
	case 1:
		return listed("[", "]", rapid.IntRange(0, 3).Draw(m.t, "length"), func(int) string { return m.value(depth + 1) })
	case 2, 3:
		return listed("{", "}", rapid.IntRange(0, 4).Draw(m.t, "length"), func(int) string {
			return m.name() + ":" + m.value(depth+1)
		})
	}
	return m.leaf()
}

func (m oddMessage) name() string {
	return m.pick(`"Any"`, `"Figures"`, `"None"`, `"Nested"`, `"Bytes"`, `"Digits"`, `"Marks"`, `"Structs"`, `"Sets"`, `"Empty"`,
		`"Lists"`, `"Plain"`, `"Base"`, `"Deep"`, `"Self"`, `"Entries"`, `"Next"`, `"Quoted"`, `"own"`, `"OWN"`, `"lower"`, `"Lower"`,
		`"LOWER"`, `"Raw"`, `"RawP"`, `"Number"`, `"Raws"`, `"Blobs"`, `"Blob"`, `"Many"`, `"1/2"`, `"+1/02"`, `"1"`, `"01"`,
		`"true"`, `""`, `"$envelope"`, `"Side"`, `"\u0053elf"`, `"ſelf"`)
}

func (m oddMessage) leaf() string {
	return m.pick(`null`, `true`, `0`, `-0`, `1`, `1e400`, `1.5`, `"1"`, `"null"`, `"1/2"`, `""`, `"AQID"`, `"NaN"`, `[]`, `{}`,
		`[{},{}]`, `[null,null]`, `[[[],[]]]`, `"2024-02-29T12:00:00Z"`, `"\ud83d\ude00"`, `"\"1\""`, ` 7 `, `255`, `256`)
}

func TestTheSchemaHasOddTypes(t *testing.T) {
	t.Parallel()
	schema := newOdd(t).Schema()
	require.NotEmpty(t, schema.JSON())
	require.NotEmpty(t, schema.JSONSchema())
}

func TestNoMessageForOddTypesPanicsOrLosesData(t *testing.T) {
	t.Parallel()
	lenient, strict := newOdd(t), newOdd(t, envelope.RefuseUnknownMembers(), envelope.VerifyAll())
	rapid.Check(t, func(t *rapid.T) {
		text := opened(oddMessage{t}.expression(0), oddMessage{t}.value(0))
		for _, r := range []*envelope.Registry{lenient, strict} {
			_, _ = r.Inspect(t.Context(), text)
			value, err := r.UnmarshalAny(t.Context(), text)
			if err == nil {
				requireStable(t, r, value)
			}
		}
	})
}

func TestNoDataOfOddTypesPanicsOrLosesData(t *testing.T) {
	t.Parallel()
	lenient, strict := newOdd(t), newOdd(t, envelope.RefuseUnknownMembers(), envelope.VerifyAll())
	rapid.Check(t, func(t *rapid.T) {
		data := oddMessage{t}.value(0)
		for _, name := range oddNames {
			requireOddRead(t, lenient, name, data)
			requireOddRead(t, strict, name, data)
		}
	})
}

// requireOddRead reads data into a value of the named type, and into a pointer to one.
func requireOddRead(t *rapid.T, r *envelope.Registry, name, data string) {
	text, goType := opened(name, data), r.TypeNamed(name)
	target := reflect.New(goType)
	if err := r.Unmarshal(t.Context(), text, target.Interface()); err != nil {
		require.True(t, target.Elem().IsZero(), "a target is zero after an error")
		return
	}
	requireStable(t, r, target.Elem().Interface())
	require.NoError(t, r.Unmarshal(t.Context(), text, reflect.New(reflect.PointerTo(goType)).Interface()))
}
