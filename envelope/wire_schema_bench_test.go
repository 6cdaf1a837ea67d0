package envelope_test

import (
	"fmt"
	"testing"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A benchType is another type for each choice of arguments.
type benchType[A, B, C any] struct {
	ID     string
	First  A
	Second []B          `json:"second,omitempty"`
	Third  map[string]C `json:"third"`
	Inner  *benchInner[A, B]
}

type benchInner[A, B any] struct {
	A A
	B B
}

func registerBenchTypes(r *envelope.Registry) {
	benchFirst[bool](r)
	benchFirst[string](r)
	benchFirst[int8](r)
	benchFirst[int16](r)
	benchFirst[int32](r)
	benchFirst[int64](r)
	benchFirst[float32](r)
	benchFirst[float64](r)
}

func benchFirst[A any](r *envelope.Registry) {
	benchSecond[A, bool](r)
	benchSecond[A, string](r)
	benchSecond[A, int8](r)
	benchSecond[A, int16](r)
	benchSecond[A, int32](r)
	benchSecond[A, int64](r)
	benchSecond[A, float32](r)
	benchSecond[A, float64](r)
}

func benchSecond[A, B any](r *envelope.Registry) {
	benchThird[A, B, bool](r)
	benchThird[A, B, string](r)
	benchThird[A, B, int8](r)
	benchThird[A, B, int16](r)
	benchThird[A, B, int32](r)
	benchThird[A, B, int64](r)
	benchThird[A, B, float32](r)
	benchThird[A, B, float64](r)
}

func benchThird[A, B, C any](r *envelope.Registry) {
	var a A
	var b B
	var c C
	envelope.MustRegister[benchType[A, B, C]](r, fmt.Sprintf("bench.%T-%T-%T", a, b, c))
}

// BenchmarkSchema describes 512 types.
func BenchmarkSchema(b *testing.B) {
	r := envelope.NewRegistry()
	registerBenchTypes(r)
	b.Run("Schema", func(b *testing.B) {
		for b.Loop() {
			r.Schema()
		}
	})
	s := r.Schema()
	b.Run("JSON", func(b *testing.B) {
		for b.Loop() {
			s.JSON()
		}
	})
}
