package envelope_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

const generatedName = "generated.Type"

// registryOf returns a registry that knows one type, made at run time or not.
func registryOf(t require.TestingT, goType reflect.Type) *envelope.Registry {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.RegisterType(r, goType, generatedName), "%s", goType)
	return r
}

// dataOf returns what an envelope of the generated type holds.
func dataOf(t require.TestingT, text string) string {
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	require.Equal(t, generatedName, parsed.Type)
	return string(parsed.Data())
}

func envelopeOf(data string) string {
	return `{"$envelope":1,"type":"` + generatedName + `","data":` + data + `}`
}

// refusesHidden reports whether a value was refused for what encoding/json would have dropped.
func refusesHidden(err error) bool {
	return err != nil && strings.Contains(err.Error(), "would be dropped")
}

// refusesNilBehindPointer reports whether a value was refused as encoding/json would turn it into a nil pointer.
func refusesNilBehindPointer(err error) bool {
	return err != nil && strings.Contains(err.Error(), "would arrive as")
}

// theirRoundTrip returns what encoding/json writes for a value and reads back. There are values that it cannot read
// back itself; they are left out of comparisons.
func theirRoundTrip(t require.TestingT, value reflect.Value) (data []byte, read reflect.Value, ok bool) {
	data, err := json.Marshal(value.Addr().Interface())
	require.NoError(t, err)
	read = reflect.New(value.Type())
	return data, read, json.Unmarshal(data, read.Interface()) == nil
}

func drawLikeJSON(t *rapid.T) reflect.Value {
	field := reflect.StructField{Name: "Root", Type: likeJSON.goType(t, 0)}
	return likeJSON.value(t, reflect.StructOf([]reflect.StructField{field}))
}

func TestWhatIsWrittenReadsEqualWithEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := drawLikeJSON(t)
		r := registryOf(t, value.Type())
		text, err := r.Marshal(t.Context(), value.Interface())
		if refusesHidden(err) || refusesNilBehindPointer(err) {
			return
		}
		require.NoError(t, err)
		_, _, ok := theirRoundTrip(t, value)
		if !ok {
			return
		}

		theirs, ours := reflect.New(value.Type()), reflect.New(value.Type())
		require.NoError(t, json.Unmarshal([]byte(dataOf(t, text)), theirs.Interface()), text)
		require.NoError(t, r.Unmarshal(t.Context(), text, ours.Interface()), text)
		requireSame(t, theirs.Interface(), ours.Interface(), text)
	})
}

func TestWhatEncodingJSONWritesReadsEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := drawLikeJSON(t)
		data, theirs, ok := theirRoundTrip(t, value)
		if !ok {
			return
		}
		ours := reflect.New(value.Type())
		err := registryOf(t, value.Type()).Unmarshal(t.Context(), envelopeOf(string(data)), ours.Interface())
		require.NoError(t, err, string(data))
		requireSame(t, theirs.Interface(), ours.Interface(), string(data))
	})
}
