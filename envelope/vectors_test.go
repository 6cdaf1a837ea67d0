package envelope_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A vector is one example of what the format allows or refuses.
type vector struct {
	About    string `json:"about"`
	Envelope string `json:"envelope"`
	// Value is the Go expression that the envelope stands for; vectorValues has its value.
	Value string `json:"value"`
	// Into is the type expression of the receiver, for envelopes that it refuses.
	Into string `json:"into"`
	// Error names the sentinel error.
	Error string `json:"error"`
}

var sentinels = map[string]error{
	"malformed":       envelope.ErrMalformed,
	"unregistered":    envelope.ErrUnregistered,
	"unknown type":    envelope.ErrUnknownType,
	"unknown version": envelope.ErrUnknownVersion,
	"type mismatch":   envelope.ErrTypeMismatch,
	"unsupported":     envelope.ErrUnsupported,
	"limit":           envelope.ErrLimit,
	"unencrypted":     envelope.ErrUnencrypted,
	"undecryptable":   envelope.ErrUndecryptable,
	"missing payload": envelope.ErrMissingPayload,
}

func readVectors(t *testing.T, file string) []vector {
	text, err := os.ReadFile(filepath.Join("testdata", "vectors", file))
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

func valueOf(t *testing.T, v vector) any {
	value, ok := vectorValues[v.Value]
	require.True(t, ok, "no value for %s", v.Value)
	return value
}

func TestValuesAreWrittenAsInTheVectors(t *testing.T) {
	r := vectorRegistry(t)
	for _, v := range readVectors(t, "written.json") {
		t.Run(v.About, func(t *testing.T) {
			text, err := r.Marshal(context.Background(), valueOf(t, v))
			require.NoError(t, err)
			assert.Equal(t, v.Envelope, text)
			assert.True(t, envelope.Is(text))
		})
	}
}

func TestVectorsAreReadIntoTheirOwnType(t *testing.T) {
	r := vectorRegistry(t)
	for _, file := range []string{"written.json", "read.json"} {
		for _, v := range readVectors(t, file) {
			t.Run(v.About, func(t *testing.T) {
				want := valueOf(t, v)
				target := reflect.New(dynamicType(want))
				require.NoError(t, r.Unmarshal(context.Background(), v.Envelope, target.Interface()))
				requireSame(t, want, target.Elem().Interface())
			})
		}
	}
}

func TestVectorsAreReadWhereTheyChooseTheType(t *testing.T) {
	r := vectorRegistry(t)
	for _, v := range readVectors(t, "written.json") {
		t.Run(v.About, func(t *testing.T) {
			value, err := r.UnmarshalAny(context.Background(), v.Envelope)
			require.NoError(t, err)
			requireSame(t, valueOf(t, v), value)
		})
	}
}

func TestVectorsAreRefused(t *testing.T) {
	r := vectorRegistry(t)
	for _, v := range readVectors(t, "refused.json") {
		t.Run(v.About, func(t *testing.T) {
			goType, ok := vectorReceivers[v.Into]
			require.True(t, ok, "no receiver for %s", v.Into)
			want, ok := sentinels[v.Error]
			require.True(t, ok, "no error for %s", v.Error)
			require.ErrorIs(t, r.Unmarshal(context.Background(), v.Envelope, reflect.New(goType).Interface()), want)
		})
	}
}

func TestWellFormedVectorsAreTakenApart(t *testing.T) {
	for _, v := range readVectors(t, "written.json") {
		t.Run(v.About, func(t *testing.T) {
			parsed, err := envelope.Parse(v.Envelope)
			require.NoError(t, err)
			assert.Equal(t, 1, parsed.Format)
			assert.NotEmpty(t, parsed.Type)
		})
	}
}

// dynamicType is reflect.TypeOf, with the empty interface as the type of nil.
func dynamicType(v any) reflect.Type {
	if v == nil {
		return reflect.TypeFor[any]()
	}
	return reflect.TypeOf(v)
}
