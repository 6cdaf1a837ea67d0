package middleware_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestSignatureChecksArgumentsAsTheWorkerDoes(t *testing.T) {
	t.Parallel()
	named := middleware.Named
	for i, c := range []struct {
		fn     any
		params []string
		args   []any
		want   error
	}{
		{func(order, int64) {}, nil, []any{order{}, 1}, nil},
		{func(order, int64) {}, nil, []any{&order{}, int8(1)}, nil},
		{func(order, int64) {}, nil, []any{order{}}, nil}, // the next result of a chain
		{func(order, int64) {}, nil, nil, nil},
		{func(order, int64) {}, nil, []any{order{}, 1, 2}, middleware.ErrArguments},
		{func(order, int64) {}, nil, []any{order{}, "1"}, envelope.ErrTypeMismatch},
		{func(order, int64) {}, nil, []any{order{}, 1.5}, envelope.ErrTypeMismatch},
		{func(order, int8) {}, nil, []any{order{}, 300}, envelope.ErrTypeMismatch},
		{func(order) {}, nil, []any{cents(1)}, envelope.ErrTypeMismatch},
		{func(order) {}, nil, []any{nil}, envelope.ErrTypeMismatch},
		{func(order) {}, nil, []any{(*order)(nil)}, envelope.ErrTypeMismatch},
		{func(*order) {}, nil, []any{(*order)(nil)}, nil},
		{func(*order, any, []int, map[string]order) {}, nil, []any{nil, nil, nil, nil}, nil},
		{func([]int64, []plainID) {}, nil, []any{[]int{1}, []string{"a"}}, nil},
		{func([]int64) {}, nil, []any{[]string{"a"}}, envelope.ErrTypeMismatch},
		{func([]order) {}, nil, []any{[]order(nil)}, nil},
		{func(map[string]order) {}, nil, []any{map[string]int{}}, envelope.ErrTypeMismatch},
		{func(shape) {}, nil, []any{square(1)}, nil},
		{func(shape) {}, nil, []any{order{}}, envelope.ErrTypeMismatch},
		{func(shape) {}, nil, []any{1.5}, envelope.ErrTypeMismatch},
		{func(any) {}, nil, []any{order{}}, nil},
		{func(string) {}, nil, []any{order{}}, nil}, // any text
		{func(string) {}, nil, []any{card("4711")}, nil},
		{func(time.Duration, int64) {}, nil, []any{5, time.Second}, nil},
		{func(card) {}, nil, []any{card("4711")}, nil},
		{func(card) {}, nil, []any{"4711"}, envelope.ErrUnencrypted},
		{func([]card) {}, nil, []any{[]string{"4711"}}, envelope.ErrUnencrypted},
		{func(veiled) {}, nil, []any{card("4711")}, envelope.ErrTypeMismatch},
		{func(...order) {}, nil, []any{order{}, order{}, &order{}}, nil},
		{func(...order) {}, nil, []any{order{}, 1}, envelope.ErrTypeMismatch},
		{func(error) {}, nil, []any{nil}, nil},
		{func(error) {}, nil, []any{"a text"}, nil},
		{func(error) {}, nil, []any{order{}}, envelope.ErrTypeMismatch},
		{func(error, order) {}, nil, []any{order{}}, nil}, // an error callback
		{func(string, int) {}, nil, []any{5}, nil},
		{func(error, ...order) {}, nil, []any{order{}, order{}}, nil},
		{func(error, order) {}, nil, []any{1}, envelope.ErrTypeMismatch},
		{func(order, int64) {}, []string{"o", "n"}, []any{named("n", 1), named("o", order{})}, nil},
		{func(order, int64) {}, []string{"o", "n"}, []any{named("n", 1)}, nil},
		{func(order, int64) {}, []string{"o", "n"}, []any{named("n", order{})}, envelope.ErrTypeMismatch},
		{func(order, int64) {}, []string{"o", "n"}, []any{named("m", 1)}, middleware.ErrArguments},
		{func(order, int64) {}, []string{"o", "n"}, []any{named("n", 1), named("n", 1)}, middleware.ErrArguments},
		{func(order, int64) {}, nil, []any{named("n", 1)}, middleware.ErrArguments},
	} {
		for _, options := range [][]middleware.Option{nil, {middleware.EnvelopeSlices()}, {middleware.EnvelopeAll()}} {
			r := newBank(t)
			envelope.MustRegister[order](r, "shop.Order")
			_, m := openBank(t, r, options...)
			var params []middleware.TaskOption
			if c.params != nil {
				params = append(params, middleware.Params(c.params...))
			}
			require.NoError(t, m.RegisterTask("t", withError(c.fn), params...))
			for range 2 { // a verdict is kept
				_, err := m.Signature(t.Context(), "t", c.args...)
				require.ErrorIs(t, err, c.want, "case %d", i)
			}
		}
	}
}

// withError returns a function with the parameters of fn that does nothing and returns an error.
func withError(fn any) any {
	t := reflect.TypeOf(fn)
	errorType := reflect.TypeFor[error]()
	made := reflect.FuncOf(slices.Collect(t.Ins()), []reflect.Type{errorType}, t.IsVariadic())
	return reflect.MakeFunc(made, func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.Zero(errorType)} }).Interface()
}

func TestSignatureSaysWhichArgumentDoesNotFit(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	require.NoError(t, m.RegisterTask("t", func(order, int64) error { return nil }, middleware.Params("order", "count")))
	_, err := m.Signature(t.Context(), "t", order{}, "s3cret")
	var wrong *middleware.ArgumentError
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, []any{"t", 2, "count"}, []any{wrong.Task, wrong.Position, wrong.Name})
	assert.NotContains(t, err.Error(), "s3cret")
	_, err = m.Signature(t.Context(), "of another process", "anything")
	require.NoError(t, err)
}

func TestATypedTaskWithoutArgumentTakesNone(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	ask := middleware.NewTask[struct{}, order]("ask")
	require.NoError(t, ask.Register(m, func(context.Context, struct{}) (order, error) { return order{}, nil }))
	s, err := ask.Signature(t.Context(), m, struct{}{})
	require.NoError(t, err)
	assert.Equal(t, &tasks.Signature{Name: "ask", Args: []tasks.Arg{}}, s)
	_, err = m.Signature(t.Context(), "ask", order{})
	require.ErrorIs(t, err, middleware.ErrArguments)
}

func BenchmarkSignatureOfATaskInTheSameProcess(b *testing.B) {
	r := registry()
	m, err := middleware.Install(newServer(&recorder{}), r)
	require.NoError(b, err)
	require.NoError(b, m.RegisterTask("here", func(any, int64) error { return nil }))
	for _, name := range []string{"here", "elsewhere"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Signature(b.Context(), name, order{"o-1", 2.5}, 250); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
