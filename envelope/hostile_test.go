package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func readInto[T any](r *envelope.Registry, text string) (T, error) {
	var target T
	err := r.Unmarshal(context.Background(), text, &target)
	return target, err
}

func TestEqualTimesAreDuplicateKeys(t *testing.T) {
	r := envelope.NewRegistry()
	for _, pair := range [][2]string{
		{"2024-02-29T12:00:00Z", "2024-02-29T12:00:00+00:00"},
		{"2024-02-29T12:00:00+05:30", "2024-02-29T12:00:00+05:30"},
		{"2024-02-29T12:00:00.5+05:45", "2024-02-29T12:00:00.50+05:45"},
	} {
		_, err := readInto[map[time.Time]int](r, holding("map[time.Time]int", `{"`+pair[0]+`":1,"`+pair[1]+`":2}`))
		require.ErrorIs(t, err, envelope.ErrMalformed, pair)
	}
	read, err := readInto[map[time.Time]int](r, holding("map[time.Time]int", `{"2024-02-29T12:00:00Z":1,"2024-02-29T14:00:00+02:00":2}`))
	require.NoError(t, err)
	assert.Len(t, read, 2, "they differ by offset")
}

func TestOffsetsHaveNoMoreThan59Minutes(t *testing.T) {
	r := envelope.NewRegistry()
	for _, offset := range []string{"+01:60", "-23:99", "+00:60"} {
		_, err := readInto[time.Time](r, holding("time.Time", `"2024-02-29T12:00:00`+offset+`"`))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch, offset)
	}
	read, err := readInto[time.Time](r, holding("time.Time", `"2024-02-29T12:00:00-23:59"`))
	require.NoError(t, err)
	requireSame(t, time.Date(2024, 2, 29, 12, 0, 0, 0, time.FixedZone("", -24*60*60+60)), read)
}

func TestURLsAreReadOnlyIfTheyCanBeWritten(t *testing.T) {
	r := envelope.NewRegistry()
	_, err := readInto[url.URL](r, holding("url.URL", `"http://[::1/a"`))
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	for _, text := range []string{"http://example.org/a%20b", "http://example.org/a b"} {
		read, err := readInto[url.URL](r, holding("url.URL", `"`+text+`"`))
		require.NoError(t, err)
		assert.Equal(t, "/a b", read.Path)
	}
}

func TestQuotedStringsMayLookLikeNumbers(t *testing.T) {
	type quoted struct {
		Text string  `json:",string"`
		Real float64 `json:",string"`
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[quoted](r, generatedName))
	for _, text := range []string{"NaN", `"NaN"`, "Infinity", `"-Infinity"`, "null", "1", `"`, ""} {
		sent := quoted{Text: text, Real: math.Inf(-1)}
		written, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		read, err := readInto[quoted](r, written)
		require.NoError(t, err, written)
		assert.Equal(t, sent, read)

		theirs, err := json.Marshal(quoted{Text: text})
		require.NoError(t, err)
		read, err = readInto[quoted](r, envelopeOf(string(theirs)))
		require.NoError(t, err, string(theirs))
		assert.Equal(t, quoted{Text: text}, read)
	}
}

func TestQuotedNumbersStandAloneInTheirString(t *testing.T) {
	type quoted struct {
		Number int `json:",string"`
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[quoted](r, generatedName))
	for _, text := range []string{"", " 1", "1 ", "1,2", "\\n1", "01", "+1", "1.0", `\"1\"`, "nul"} {
		_, err := readInto[quoted](r, envelopeOf(`{"Number":"`+text+`"}`))
		require.Error(t, err, text)
	}
}

func TestEmbeddedPointersThatNoFieldWouldTellOfAreRefused(t *testing.T) {
	type (
		Inner  struct{ Value int }
		Middle struct{ *Inner }
		Outer  struct{ *Middle }
	)
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[Outer](r, generatedName))
	for _, sent := range []Outer{{}, {&Middle{&Inner{}}}, {&Middle{&Inner{1}}}} {
		text, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		read, err := readInto[Outer](r, text)
		require.NoError(t, err)
		assert.Equal(t, sent, read, text)
	}
	_, err := r.Marshal(context.Background(), Outer{&Middle{}})
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.ErrorContains(t, err, "generated.Type.Middle: ")
}

func TestNegativeZeroInAHiddenFieldIsAValue(t *testing.T) {
	type (
		Inner struct{ Value [1]float64 }
		Outer struct {
			Inner
			Value string
		}
	)
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[Outer](r, generatedName))
	_, err := r.Marshal(context.Background(), Outer{Inner: Inner{[1]float64{math.Copysign(0, -1)}}})
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	_, err = r.Marshal(context.Background(), Outer{Value: "a"})
	require.NoError(t, err)
}

func TestCompositesOfUnregisteredNamesAreRefusedInInterfaces(t *testing.T) {
	r := envelope.NewRegistry()
	values := []any{[]Label{"a"}, [1]Label{}, map[Label]int{}, map[string]Label{}, (*Label)(nil), [][]Label{}, Labels{}}
	for _, value := range values {
		_, err := r.Marshal(context.Background(), []any{value})
		require.ErrorIs(t, err, envelope.ErrUnregistered, "%T would arrive as another type", value)
	}
	require.NoError(t, envelope.Register[Label](r, "library.Label"))
	require.NoError(t, envelope.Register[Labels](r, "library.Labels"))
	text, err := r.Marshal(context.Background(), values)
	require.NoError(t, err)
	read, err := r.UnmarshalAny(context.Background(), text)
	require.NoError(t, err)
	requireSame(t, values, read)
}

func TestWhatIsReadSharesNoMemory(t *testing.T) {
	type bytes struct {
		Bytes []byte
		Raw   json.RawMessage
		Any   any
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[bytes](r, generatedName))
	text := envelopeOf(`{"Bytes":"AAAA","Raw":[1,2],"Any":{"$envelope":1,"type":"[]uint8","data":"AAAA"}}`)
	first, err := readInto[bytes](r, text)
	require.NoError(t, err)
	second, err := readInto[bytes](r, text)
	require.NoError(t, err)
	clear(first.Bytes[:1])
	copy(first.Bytes, "abc")
	copy(first.Raw, "xxxxx")
	copy(first.Any.([]byte), "abc")
	third, err := readInto[bytes](r, text)
	require.NoError(t, err)
	assert.Equal(t, second, third)
	assert.NotEqual(t, first, third)
}

func TestConcurrentCallsSeeOneAnothersTypes(t *testing.T) {
	r := envelope.NewRegistry()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 50 {
				expression := fmt.Sprintf("map[string][%d]*[]library.Box", i)
				read, err := r.UnmarshalAny(context.Background(), holding(expression, "{}"))
				if worker == 0 && i == 25 {
					assert.NoError(t, envelope.Register[Box](r, "library.Box"))
				}
				if err != nil {
					assert.ErrorIs(t, err, envelope.ErrUnknownType)
					continue
				}
				text, err := r.Marshal(context.Background(), []any{read, Box{1}})
				assert.NoError(t, err)
				assert.Contains(t, text, expression)
			}
		})
	}
	group.Wait()
	read, err := r.UnmarshalAny(context.Background(), holding("map[string][7]*[]library.Box", "null"))
	require.NoError(t, err)
	assert.IsType(t, map[string][7]*[]Box{}, read)
}

func TestKeysWithMarshalersOnTheirPointerAreTextBothWays(t *testing.T) {
	r := envelope.NewRegistry()
	sent := map[pointerKey]int{1: 10, 2: 20}
	text, err := r.Marshal(context.Background(), struct{ M map[pointerKey]int }{sent}.M)
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	require.Empty(t, text)
	require.NoError(t, envelope.Register[pointerKey](r, "library.Key"))
	text, err = r.Marshal(context.Background(), sent)
	require.NoError(t, err)
	assert.Equal(t, holding("map[library.Key]int", `{"key-1":10,"key-2":20}`), text)
	read, err := readInto[map[pointerKey]int](r, text)
	require.NoError(t, err)
	assert.Equal(t, sent, read)
}

// pointerKey has marshalers for text on its pointer only, which encoding/json uses for reading keys, but not for
// writing them.
type pointerKey int

func (k *pointerKey) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "key-%d", *k), nil }
func (k *pointerKey) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "key-%d", k)
	return err
}

func TestNilInterfacesAreReadAsNil(t *testing.T) {
	r := vectorRegistry(t)
	text, err := r.Marshal(context.Background(), vectorShape(nil))
	require.NoError(t, err)
	read, err := readInto[vectorShape](r, text)
	require.NoError(t, err)
	assert.Nil(t, read)
	_, err = readInto[vectorShape](r, holding("any", "1"))
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
}

func TestNullBehindAPointerFitsNoValue(t *testing.T) {
	r := vectorRegistry(t)
	for _, space := range []string{"", " ", "\n\t"} {
		_, err := readInto[[]int](r, holding("*[]int", space+"null"))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
		_, err = readInto[map[string]any](r, holding("*map[string]any", space+"null"))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
		_, err = readInto[json.RawMessage](r, holding("*json.RawMessage", space+"null"))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	}
	read, err := readInto[[]int](r, holding("*[]int", " [1]"))
	require.NoError(t, err)
	assert.Equal(t, []int{1}, read)
}

func TestPointersToInterfacesStayPointers(t *testing.T) {
	r := vectorRegistry(t)
	read, err := r.UnmarshalAny(context.Background(), holding("*any", "1"))
	require.NoError(t, err)
	requireSame(t, pointerTo(any(1.0)), read)
	_, err = readInto[vectorShape](r, holding("*shapes.Shape", `{"$envelope":1,"type":"*shapes.Circle","data":{"r":1}}`))
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
}
