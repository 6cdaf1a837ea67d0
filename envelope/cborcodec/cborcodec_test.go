package cborcodec_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
)

type reading struct {
	Sensor string         `json:"sensor"`
	At     time.Time      `json:"at"`
	Values []float64      `json:"values"`
	Raw    []byte         `json:"raw"`
	Counts map[string]int `json:"counts"`
	Extra  any            `json:"extra"`
}

func newRegistry(t *testing.T) *envelope.Registry {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[reading](r, "sensors.Reading", envelope.UseCodec(cborcodec.Codec{})))
	return r
}

func TestValuesTravelAsCBOR(t *testing.T) {
	r := newRegistry(t)
	sent := reading{
		Sensor: "s-1",
		At:     time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC),
		Values: []float64{1.5, math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64},
		Raw:    []byte{},
		Counts: map[string]int{"b": -2, "a": math.MaxInt},
		Extra:  map[string]any{"n": uint64(math.MaxUint64), "list": []any{nil, true, "x"}},
	}
	text, err := r.Marshal(context.Background(), sent)
	require.NoError(t, err)

	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, "cbor", parsed.Codec)

	var arrived reading
	require.NoError(t, r.Unmarshal(context.Background(), text, &arrived))
	assert.Equal(t, sent, arrived)
}

func TestAnyReadingArrivesAsItWasSent(t *testing.T) {
	r := newRegistry(t)
	rapid.Check(t, func(t *rapid.T) {
		sent := reading{
			Sensor: rapid.String().Draw(t, "sensor"),
			At:     time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC(),
			Values: rapid.SliceOf(rapid.Float64()).Draw(t, "values"),
			Raw:    rapid.SliceOf(rapid.Byte()).Draw(t, "raw"),
			Counts: rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "counts"),
		}
		text, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		var arrived reading
		require.NoError(t, r.Unmarshal(context.Background(), text, &arrived))
		assert.Equal(t, sent, arrived)
	})
}

func TestNilAndEmptyDiffer(t *testing.T) {
	r := newRegistry(t)
	for _, sent := range []reading{{}, {Values: []float64{}, Raw: []byte{}, Counts: map[string]int{}}} {
		text, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		var arrived reading
		require.NoError(t, r.Unmarshal(context.Background(), text, &arrived))
		assert.Equal(t, sent, arrived)
	}
}

func TestBytesAreDeterministic(t *testing.T) {
	r := newRegistry(t)
	sent := reading{Counts: map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}}
	first, err := r.Marshal(context.Background(), sent)
	require.NoError(t, err)
	for range 50 {
		again, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestBrokenCBORIsRefused(t *testing.T) {
	r := newRegistry(t)
	var arrived reading
	err := r.Unmarshal(context.Background(),
		`{"$envelope":1,"type":"sensors.Reading","codec":"cbor","data":"oWZzZW5zb3I="}`, &arrived)
	assert.ErrorIs(t, err, envelope.ErrMalformed)
	assert.EqualError(t, err, "sensors.Reading: codec cbor cannot read the value")
	assert.Error(t, errors.Unwrap(err))
}

func TestDuplicateMapKeysAreRefused(t *testing.T) {
	var arrived map[string]int
	// {"a":1,"a":2}
	err := cborcodec.Codec{}.Unmarshal([]byte{0xa2, 0x61, 'a', 1, 0x61, 'a', 2}, &arrived)
	assert.Error(t, err)
}
