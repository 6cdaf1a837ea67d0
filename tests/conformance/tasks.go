package conformance

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var taskCases = []testCase{
	{name: "a struct goes in and a struct comes out", run: structInStructOut},
	{name: "nested containers arrive as sent", run: nestedContainers},
	{name: "pointers, nil pointers and nil slices arrive as sent", run: nilsAndPointers},
	{name: "interfaces arrive with the type that was sent", run: interfaces},
	{name: "native and own types mix", run: nativeAndOwnTypesMix},
	{name: "native arguments take any kind that holds them", run: nativeKinds},
	{name: "variadic own types", run: variadic},
	{name: "arguments by name", run: argumentsByName},
	{name: "a raw argument of an own type is put right", run: rawArgument},
	{name: "a string that looks like an envelope stays a string", run: lookalikeString},
	{name: "large and deeply nested arguments", run: largeAndDeep},
	{name: "a task without results", run: noResult},
	{name: "plain tasks are untouched", run: plainTask},
}

func structInStructOut(t *testing.T, f *fixture) {
	var received Order
	name := f.register(t, func(o Order) (Receipt, error) {
		received = o
		return receiptOf(o), nil
	})
	res := f.send(t, f.signature(t, name, order()))
	assert.Equal(t, receiptOf(order()), mustAwait[Receipt](t, f, res))
	assert.Equal(t, order(), received)
}

func nestedContainers(t *testing.T, f *fixture) {
	type nested = map[string][]map[int]*Line
	name := f.register(t, func(_ context.Context, n nested, grid [2][]Line) (nested, error) {
		n["grid"] = []map[int]*Line{{len(grid): &grid[1][0]}}
		return n, nil
	})
	sent := nested{"a": {{1: {SKU: "x"}}, {}, nil}, "b": nil, "c": {}}
	res := f.send(t, f.signature(t, name, sent, [2][]Line{nil, {{SKU: "y"}}}))
	want := nested{"a": {{1: {SKU: "x"}}, {}, nil}, "b": nil, "c": {}, "grid": {{2: {SKU: "y"}}}}
	assert.Equal(t, want, mustAwait[nested](t, f, res))
}

func nilsAndPointers(t *testing.T, f *fixture) {
	type arguments struct {
		Pointer, Nil *Order
		NilSlice     []string
		Empty        []string
		Value        Line
	}
	var received arguments
	name := f.register(t, func(pointer, null *Order, nilSlice, empty []string, value Line) (*Order, error) {
		received = arguments{pointer, null, nilSlice, empty, value}
		return nil, nil
	})
	o := order()
	res := f.send(t, f.signature(t, name, &o, (*Order)(nil), []string(nil), []string{}, &Line{SKU: "z"}))
	assert.Nil(t, mustAwait[*Order](t, f, res))
	assert.Equal(t, arguments{&o, nil, nil, []string{}, Line{SKU: "z"}}, received)
}

func interfaces(t *testing.T, f *fixture) {
	name := f.register(t, func(s Shape, all []Shape, extra any) (Shape, error) {
		total := s.Area()
		for _, shape := range all {
			total += shape.Area()
		}
		return &Square{Side: total + extra.(map[string]any)["circle"].(Circle).Radius}, nil
	})
	res := f.send(t, f.signature(t, name, Circle{1}, []Shape{&Square{2}, Circle{3}}, map[string]any{"circle": Circle{4}}))
	assert.Equal(t, &Square{Side: 3 + 4 + 27 + 4}, mustAwait[Shape](t, f, res))
}

func nativeAndOwnTypesMix(t *testing.T, f *fixture) {
	var received []any
	name := f.register(t, func(_ context.Context, id string, o Order, n int64, rates []float64, raw []byte, ok bool, level Level) (string, Receipt, error) {
		received = []any{id, o, n, rates, raw, ok, level}
		return id, receiptOf(o), nil
	})
	sent := []any{"id", order(), int64(math.MaxInt64), []float64{1.5, -0.25}, []byte{0, 255}, true, Level(7)}
	s := f.signature(t, name, sent...)
	assert.Equal(t, []string{"string", "string", "int64", "[]float64", "[]uint8", "bool", "int"}, argTypes(s))
	res := f.send(t, s)
	values, err := res.GetWithTimeout(timeout, 1)
	require.NoError(t, err)
	require.Len(t, values, 2)
	assert.Equal(t, "id", values[0].Interface())
	assert.Equal(t, sent, received)
}

func argTypes(s *tasks.Signature) []string {
	types := make([]string, len(s.Args))
	for i, arg := range s.Args {
		types[i] = arg.Type
	}
	return types
}

func nativeKinds(t *testing.T, f *fixture) {
	name := f.register(t, func(small int8, big uint64, f64 float64, level Level, pointer *int, anything any) ([]any, error) {
		return []any{int64(small), big, f64, int64(level), int64(*pointer), anything}, nil
	})
	res := f.send(t, f.signature(t, name, -128, uint64(math.MaxUint64), float32(0.5), int64(3), 4, int16(5)))
	assert.Equal(t, []any{int64(-128), uint64(math.MaxUint64), 0.5, int64(3), int64(4), int16(5)}, mustAwait[[]any](t, f, res))
}

func variadic(t *testing.T, f *fixture) {
	name := f.register(t, func(prefix string, lines ...Line) (string, error) {
		for _, line := range lines {
			prefix += line.SKU
		}
		return prefix, nil
	})
	assert.Equal(t, "-", mustAwait[string](t, f, f.send(t, f.signature(t, name, "-"))))
	assert.Equal(t, "-ab", mustAwait[string](t, f, f.send(t, f.signature(t, name, "-", Line{SKU: "a"}, Line{SKU: "b"}))))
}

func argumentsByName(t *testing.T, f *fixture) {
	name := f.register(t, func(_ context.Context, o Order, price float64) (string, error) {
		return o.ID, nil
	}, middleware.Params("order", "price"))
	res := f.send(t, f.signature(t, name, middleware.Named("price", 1.5), middleware.Named("order", order())))
	assert.Equal(t, "o-1", mustAwait[string](t, f, res))

	named := middleware.Named
	for fault, bad := range map[string][]any{
		`parameter "price" is missing`:     {named("order", order())},
		`no parameter "prize"`:             {named("order", order()), named("price", 1.5), named("prize", 1.5)},
		`parameter "price" is given twice`: {named("order", order()), named("price", 1.5), named("price", 1.5)},
	} {
		err := f.refusal(t, name, bad...)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, middleware.ErrArguments.Error())
		require.ErrorContains(t, err, fault)
	}
}

func rawArgument(t *testing.T, f *fixture) {
	name := f.register(t, func(o Order, p *Order) (string, error) { return o.ID + p.ID, nil })
	o := order()
	s := &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: o}, {Type: "string", Value: &o}}}
	res := f.send(t, s)
	assert.Equal(t, "o-1o-1", mustAwait[string](t, f, res))
	assert.Equal(t, []tasks.Arg{{Value: o}, {Type: "string", Value: &o}}, s.Args, "the caller's signature keeps its arguments")
}

func lookalikeString(t *testing.T, f *fixture) {
	name := f.register(t, func(text string, anything any) (string, error) {
		return text + anything.(string), nil
	})
	forged := `{"$envelope":1,"type":"string","data":"x"}`
	res := f.send(t, f.signature(t, name, forged, forged))
	assert.Equal(t, forged+forged, mustAwait[string](t, f, res))

	s := &tasks.Signature{Name: name, Args: []tasks.Arg{{Type: "string", Value: forged}, {Type: "string", Value: forged}}}
	assert.Equal(t, forged+forged, mustAwait[string](t, f, f.send(t, s)))
}

func largeAndDeep(t *testing.T, f *fixture) {
	lines := make([]Line, 10_000)
	for i := range lines {
		lines[i] = Line{SKU: "sku", Quantity: i, Price: float64(i) / 3}
	}
	raw := bytes.Repeat([]byte{0, 1, 254, 255}, 1<<18)
	var deep any = Circle{Radius: 1}
	for range 200 {
		deep = []any{map[string]any{"inner": deep}}
	}
	received := make(chan []any, 1)
	name := f.register(t, func(lines []Line, raw *[]byte, deep any) (Order, error) {
		received <- []any{lines, *raw, deep}
		return Order{Lines: lines, Extra: deep}, nil
	})
	res := f.send(t, f.signature(t, name, lines, &raw, deep))
	assert.Equal(t, Order{Lines: lines, Extra: deep}, mustAwait[Order](t, f, res))
	assert.Equal(t, []any{lines, raw, deep}, receive(t, received))
}

func noResult(t *testing.T, f *fixture) {
	name := f.register(t, func(Order) error { return nil })
	mustAwait[struct{}](t, f, f.send(t, f.signature(t, name, order())))
}

func plainTask(t *testing.T, f *fixture) {
	name := f.registerPlain(t, func(text string, n int64, list []string) (string, error) {
		return text + list[n], nil
	})
	args := []tasks.Arg{{Type: "string", Value: "a"}, {Type: "int64", Value: 1}, {Type: "[]string", Value: []string{"x", "y"}}}
	s := &tasks.Signature{Name: name, Args: args}
	assert.Equal(t, "ay", mustAwait[string](t, f, f.send(t, s)))
	assert.NotContains(t, s.Headers, middleware.FormatHeader)
}
