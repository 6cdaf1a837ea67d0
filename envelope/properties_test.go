package envelope_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// registerFigures registers the library's types that stand in interfaces.
func registerFigures(t require.TestingT, r *envelope.Registry) {
	require.NoError(t, envelope.RegisterInterface[Figure](r, "library.Figure"))
	require.NoError(t, envelope.Register[Box](r, "library.Box"))
	require.NoError(t, envelope.Register[Disc](r, "library.Disc"))
	require.NoError(t, envelope.Register[Sketch](r, "library.Sketch"))
	require.NoError(t, r.Check())
}

func TestWhatArrivesEqualsWhatWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		goType := reflect.StructOf([]reflect.StructField{{Name: "Root", Type: lossless.goType(t, 0)}})
		sent := lossless.value(t, goType)
		r := registryOf(t, goType)
		registerFigures(t, r)

		text, err := r.Marshal(t.Context(), sent.Interface())
		if refusesHidden(err) {
			return
		}
		require.NoError(t, err)
		arrived := reflect.New(goType)
		require.NoError(t, r.Unmarshal(t.Context(), text, arrived.Interface()), text)
		requireSame(t, sent.Interface(), arrived.Elem().Interface(), text)
	})
}

func TestWhatArrivesInAnInterfaceEqualsWhatWasSent(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry()
	registerFigures(t, r)
	rapid.Check(t, func(t *rapid.T) {
		sent := lossless.value(t, rapid.SampledFrom(namedTypes).Draw(t, "type")).Interface()

		text, err := r.Marshal(t.Context(), sent)
		require.NoError(t, err)
		arrived, err := r.UnmarshalAny(t.Context(), text)
		require.NoError(t, err, text)
		requireSame(t, sent, arrived, text)

		again, err := r.Marshal(t.Context(), arrived)
		require.NoError(t, err)
		require.Equal(t, text, again, "what was read has to be written as before")
	})
}

func TestSameValueIsAlwaysWrittenTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		goType := reflect.MapOf(rapid.SampledFrom(lossless.keys).Draw(t, "key"), lossless.goType(t, 1))
		value := lossless.value(t, goType)
		copied := reflect.MakeMap(goType)
		for _, key := range rapid.Permutation(value.MapKeys()).Draw(t, "order") {
			copied.SetMapIndex(key, value.MapIndex(key))
		}
		holder := reflect.StructOf([]reflect.StructField{{Name: "Root", Type: goType}})
		r := registryOf(t, holder)
		registerFigures(t, r)

		first, second := reflect.New(holder), reflect.New(holder)
		if !value.IsNil() {
			first.Elem().Field(0).Set(value)
			second.Elem().Field(0).Set(copied)
		}
		one, err := r.Marshal(t.Context(), first.Elem().Interface())
		if refusesHidden(err) {
			return
		}
		require.NoError(t, err)
		other, err := r.Marshal(t.Context(), second.Elem().Interface())
		require.NoError(t, err)
		require.Equal(t, one, other)
	})
}

// composed makes up a type that has a name on the wire, by type expressions over names.
func composed(t *rapid.T, depth int) reflect.Type {
	forms := 5
	if depth == 0 {
		forms = 1
	}
	switch rapid.IntRange(0, forms).Draw(t, "form") {
	case 2:
		return reflect.PointerTo(composed(t, depth-1))
	case 3:
		return reflect.SliceOf(composed(t, depth-1))
	case 4:
		return reflect.ArrayOf(rapid.IntRange(0, 2).Draw(t, "length"), composed(t, depth-1))
	case 5:
		key := rapid.SampledFrom([]reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[bool](), reflect.TypeFor[netip.Addr]()})
		return reflect.MapOf(key.Draw(t, "key"), composed(t, depth-1))
	}
	return rapid.SampledFrom(namedTypes).Draw(t, "named")
}

func TestTypeExpressionsLeadBackToTheirType(t *testing.T) {
	t.Parallel()
	sender := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxTypeDepth: 20}))
	registerFigures(t, sender)
	rapid.Check(t, func(t *rapid.T) {
		goType := composed(t, 5)
		sent := lossless.value(t, goType).Interface()
		text, err := sender.Marshal(t.Context(), sent)
		require.NoError(t, err)

		receiver := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxTypeDepth: 20}))
		registerFigures(t, receiver)
		arrived, err := receiver.UnmarshalAny(t.Context(), text)
		require.NoError(t, err, text)
		requireSame(t, sent, arrived, text)
	})
}
