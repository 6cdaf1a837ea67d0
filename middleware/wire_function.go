package middleware

import (
	"context"
	"reflect"
)

var (
	anyType  = reflect.TypeFor[any]()
	argsType = reflect.TypeFor[[]any]()
)

// wireFunction makes the function that is registered with Machinery. Its parameters take whatever base values a message
// holds; the real arguments are restored from the signature. Its results are base values and envelopes.
//
// Machinery calls it by reflection, which costs a function written out in Go half of what it costs one of
// reflect.MakeFunc.
func (t *task) wireFunction() any {
	switch t.results {
	case 0:
		return func(ctx context.Context, args ...any) error {
			return t.call(ctx, args, nil)
		}
	case 1:
		return func(ctx context.Context, args ...any) (any, error) {
			var results [1]any
			err := t.call(ctx, args, results[:])
			return results[0], err
		}
	default:
		return t.wireFunctionOfMany()
	}
}

// wireFunctionOfMany is the wire function of a task with any number of results.
func (t *task) wireFunctionOfMany() any {
	out := make([]reflect.Type, t.results+1)
	for i := range t.results {
		out[i] = anyType
	}
	out[t.results] = errorType
	signature := reflect.FuncOf([]reflect.Type{contextType, argsType}, out, true)
	return reflect.MakeFunc(signature, func(in []reflect.Value) []reflect.Value {
		results := make([]any, t.results)
		err := t.call(in[0].Interface().(context.Context), in[1].Interface().([]any), results)
		out := make([]reflect.Value, t.results+1)
		for i := range results {
			out[i] = reflect.ValueOf(&results[i]).Elem()
		}
		out[t.results] = reflect.ValueOf(&err).Elem()
		return out
	}).Interface()
}
