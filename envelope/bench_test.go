package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type (
	benchLine struct {
		Article  string  `json:"article"`
		Name     string  `json:"name"`
		Quantity int     `json:"quantity"`
		Price    float64 `json:"price"`
		Discount float64 `json:"discount,omitempty"`
		Gift     bool    `json:"gift"`
	}

	benchOrder struct {
		ID       int64             `json:"id"`
		Number   string            `json:"number"`
		Customer string            `json:"customer"`
		Email    string            `json:"email"`
		Placed   time.Time         `json:"placed"`
		Due      *time.Time        `json:"due,omitempty"`
		Total    float64           `json:"total"`
		Paid     bool              `json:"paid"`
		Lines    []benchLine       `json:"lines"`
		Labels   map[string]string `json:"labels"`
	}
)

func newBenchOrder(lines int) benchOrder {
	random := rand.New(rand.NewPCG(1, 2))
	due := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	order := benchOrder{
		ID: 9007199254740993, Number: "2026-000123", Customer: "Ada Lovelace", Email: "ada@example.com",
		Placed: time.Date(2026, 2, 14, 9, 26, 53, 589793238, time.UTC), Due: &due, Paid: true,
		Labels: map[string]string{"channel": "web", "campaign": "spring", "region": "eu-north"},
	}
	for i := range lines {
		line := benchLine{
			Article: fmt.Sprintf("A-%06d", random.IntN(1e6)), Name: "Lamp, brass, with shade", Quantity: 1 + random.IntN(20),
			Price: float64(random.IntN(100_000)) / 100, Gift: i%7 == 0,
		}
		order.Total += line.Price * float64(line.Quantity)
		order.Lines = append(order.Lines, line)
	}
	return order
}

func newBenchFloats() []float64 {
	random := rand.New(rand.NewPCG(1, 2))
	floats := make([]float64, 100_000)
	for i := range floats {
		floats[i] = random.NormFloat64() * 1000
	}
	return floats
}

func newBenchRegistry() *envelope.Registry {
	r := envelope.NewRegistry()
	envelope.MustRegister[benchOrder](r, "shop.Order")
	return r
}

// benchmarks runs a value through both, to text and back.
func benchmarks[T any](b *testing.B, value T) {
	r, ctx := newBenchRegistry(), context.Background()
	enveloped, err := r.Marshal(ctx, &value)
	if err != nil {
		b.Fatal(err)
	}
	written, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	plain := string(written)
	for name, run := range map[string]func() error{
		"encode/envelope": func() error { _, err := r.Marshal(ctx, &value); return err },
		"decode/envelope": func() error { var target T; return r.Unmarshal(ctx, enveloped, &target) },
		"both/envelope": func() error {
			text, _ := r.Marshal(ctx, &value)
			var target T
			return r.Unmarshal(ctx, text, &target)
		},
		"encode/json": func() error { text, err := json.Marshal(&value); _ = string(text); return err },
		"decode/json": func() error { var target T; return json.Unmarshal([]byte(plain), &target) },
		"both/json": func() error {
			data, _ := json.Marshal(&value)
			text := string(data)
			var target T
			return json.Unmarshal([]byte(text), &target)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOrderOf5Lines(b *testing.B)   { benchmarks(b, newBenchOrder(5)) }
func BenchmarkOrderOf500Lines(b *testing.B) { benchmarks(b, newBenchOrder(500)) }
func BenchmarkMebibyte(b *testing.B)        { benchmarks(b, make([]byte, 1<<20)) }
func BenchmarkFloats(b *testing.B)          { benchmarks(b, newBenchFloats()) }
