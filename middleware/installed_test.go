package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestOfReturnsWhatIsInstalled(t *testing.T) {
	_, found := middleware.Of(eagerServer())
	assert.False(t, found)
	server, m := installed()
	of, found := middleware.Of(server)
	require.True(t, found)
	assert.Same(t, m, of)
	assert.Same(t, server, middleware.ServerOf(m))
}

func TestReadArg(t *testing.T) {
	_, m := installed()
	const text = `{"$envelope":1,"type":"orders.Order","data":{"id":"o-1","qty":3}}`
	var (
		o       Order
		pointer *Order
		chosen  any
		n       int64
	)
	require.NoError(t, middleware.ReadArg(t.Context(), m, tasks.Arg{Type: "string", Value: text}, &o))
	require.NoError(t, middleware.ReadArg(t.Context(), m, tasks.Arg{Type: "string", Value: text}, &pointer))
	require.NoError(t, middleware.ReadArg(t.Context(), m, tasks.Arg{Type: "string", Value: text}, &chosen))
	require.NoError(t, middleware.ReadArg(t.Context(), m, tasks.Arg{Type: "int", Value: json.Number("250")}, &n))
	assert.Equal(t, Order{"o-1", 3}, o)
	assert.Equal(t, &o, pointer)
	assert.Equal(t, o, chosen)
	assert.Equal(t, int64(250), n)

	err := middleware.ReadArg(t.Context(), m, tasks.Arg{Type: "string", Value: text}, new(Quote))
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	require.ErrorContains(t, err, "read an argument as middleware_test.Quote")
	for _, target := range []any{nil, Order{}, (*Order)(nil)} {
		require.ErrorContains(t, middleware.ReadArg(t.Context(), m, tasks.Arg{}, target), "not a pointer, or nil")
	}
}

// What a dead letter holds.
func ExampleReadArg() {
	_, m := installed()
	arg := tasks.Arg{Type: "string", Value: `{"$envelope":1,"type":"orders.Order","data":{"id":"o-1","qty":3}}`}

	var order Order
	err := middleware.ReadArg(context.Background(), m, arg, &order)
	fmt.Println(order, err)
	// Output: {o-1 3} <nil>
}
