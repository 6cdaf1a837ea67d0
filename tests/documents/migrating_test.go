package documents_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const orderByHand = `{"id":"o-1","qty":3}`

func TestMigratingFromJSONByHand(t *testing.T) {
	server := newServer(t)

	err := server.RegisterTask("orders.price", func(text string) (string, error) {
		var o Order
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return "", err
		}
		quote, err := price(o, 250)
		if err != nil {
			return "", err
		}
		reply, err := json.Marshal(quote)
		return string(reply), err
	})

	require.NoError(t, err)
	m, err := middleware.Install(server, shopRegistry())
	require.NoError(t, err)
	work(t, server)
	result, err := server.SendTask(&tasks.Signature{Name: "orders.price", Args: []tasks.Arg{{Type: "string", Value: orderByHand}}})
	require.NoError(t, err)
	reply, err := middleware.Await[string](newContext(t), m, result)
	require.NoError(t, err)
	require.JSONEq(t, `{"order_id":"o-1","cents":750}`, reply)
}

func TestMigratingWithTasksInTheQueue(t *testing.T) {
	server := newServer(t)
	registry := shopRegistry()
	m, err := middleware.Install(server, registry)
	require.NoError(t, err)
	register := func() error {
		err := m.RegisterTask("orders.price", func(ctx context.Context, text string) (string, error) {
			var o Order
			read := func() error { return json.Unmarshal([]byte(text), &o) }
			if envelope.Is(text) {
				read = func() error { return registry.Unmarshal(ctx, text, &o) }
			}
			if err := read(); err != nil {
				return "", err
			}
			quote, err := price(o, 250)
			if err != nil {
				return "", err
			}
			reply, err := json.Marshal(quote)
			return string(reply), err
		})
		return err
	}
	require.NoError(t, register())
	work(t, server)
	for _, argument := range []any{orderByHand, order} {
		ctx := newContext(t)
		signature, err := m.Signature(ctx, "orders.price", argument)
		require.NoError(t, err)
		result, err := m.SendTask(ctx, signature)
		require.NoError(t, err)
		reply, err := middleware.Await[string](ctx, m, result)
		require.NoError(t, err)
		require.JSONEq(t, `{"order_id":"o-1","cents":750}`, reply)
	}
}

func TestANewTaskRefusesAnOldString(t *testing.T) {
	ctx, server, m := newShop(t)
	require.NoError(t, m.RegisterTask("orders.price", func(o Order) (Quote, error) { return price(o, 250) }))
	result, err := server.SendTask(&tasks.Signature{Name: "orders.price", Args: []tasks.Arg{{Type: "string", Value: orderByHand}}})
	require.NoError(t, err)
	_, err = middleware.Await[Quote](ctx, m, result)
	require.ErrorContains(t, err, envelope.ErrTypeMismatch.Error())
}

func TestAnOldTaskTakesAnEnvelopeForAnEmptyOrder(t *testing.T) {
	text, err := shopRegistry().Marshal(context.Background(), order)
	require.NoError(t, err)
	var o Order
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	require.Zero(t, o)
}

func TestMigratingToRedisadapter(t *testing.T) {
	cnf := &config.Config{}

	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	broker := redisadapter.NewBroker(cnf, client)
	backend := redisadapter.NewBackend(cnf, client)

	require.NoError(t, client.Close())
	require.NotNil(t, broker)
	require.NotNil(t, backend)
}

func TestMigratingToAmqpadapter(t *testing.T) {
	cnf := &config.Config{Broker: "amqp://localhost"}

	broker := amqpadapter.NewBroker(cnf)

	require.NotNil(t, broker)
}
