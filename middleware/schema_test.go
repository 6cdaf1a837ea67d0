package middleware_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type grade string

func TestSchemasDescribeTasks(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, middleware.SignTasks(hmacKey("k"), middleware.AcceptUnsigned()))
	require.NoError(t, m.RegisterTask("b", func(context.Context, order, grade, []grade, ...int) (*order, map[string]int8, error) {
		return nil, nil, nil
	}, middleware.Params("order", "grade", "grades")))
	require.NoError(t, m.RegisterTask("a", func(error, any) error { return nil }))
	nothing := middleware.NewTask[struct{}, struct{}]("c")
	require.NoError(t, nothing.Register(m, func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))

	s := m.Schema()
	assert.Equal(t, []wireschema.Task{
		{Name: "a", Params: []wireschema.Param{{Form: "error"}, {Form: "any"}}},
		{Name: "b", Variadic: true,
			Params: []wireschema.Param{
				{Name: "order", Form: "shop.Order"}, {Name: "grade", Form: "string"}, {Name: "grades", Form: "[]string"}, {Form: "int"},
			},
			Results: []wireschema.Param{{Form: "*shop.Order"}, {Form: "map[string]int8"}}},
		{Name: "c", TakesNothing: true},
	}, s.Tasks)
	assert.Equal(t, wireschema.Settings{Signed: true, AcceptsUnsigned: true}, wireschema.Settings{
		Signed: s.Settings.Signed, AcceptsUnsigned: s.Settings.AcceptsUnsigned, UnsignedResults: s.Settings.UnsignedResults,
	})
	assert.Equal(t, string(s.JSON()), string(m.Schema().JSON()))
}

func ExampleMiddleware_Schema() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[order](registry, "shop.Order")
	m, err := middleware.Install(newServer(eager.New()), registry)
	if err != nil {
		return
	}
	if err := m.RegisterTask("shop.price", func(order) (int64, error) { return 0, nil }); err != nil {
		return
	}
	for _, task := range m.Schema().Tasks {
		fmt.Println(task.Name, task.Params, task.Results)
	}
	// Output: shop.price [{ shop.Order}] [{ int64}]
}
