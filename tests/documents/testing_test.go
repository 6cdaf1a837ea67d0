//lint:file-ignore SA4006 documents leave the handling of errors to their readers

package documents_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

// newRegistry, registerTasks and checkout are the application's.
func newRegistry() *envelope.Registry { return shopRegistry() }

func registerTasks(m *middleware.Middleware) error {
	return m.RegisterTasks(map[string]any{"orders.price": price})
}

func checkout(ctx context.Context, m *middleware.Middleware, o Order) error {
	signature, err := m.Signature(ctx, "orders.price", o, 250)
	if err != nil {
		return err
	}
	_, err = m.SendTask(ctx, signature)
	return err
}

func TestPrice(t *testing.T) {
	s := middlewaretest.NewServer(t, newRegistry()) // no Redis, no RabbitMQ
	if err := registerTasks(s.Middleware); err != nil {
		t.Fatal(err)
	}
	signature, err := s.Middleware.Signature(t.Context(), "orders.price", Order{ID: "o-1", Qty: 3}, 250)
	if err != nil {
		t.Fatal(err)
	}
	quote, err := middlewaretest.Run[Quote](t, s.Middleware, signature)
	if err != nil || quote.Cents != 750 {
		t.Fatal(quote, err)
	}
}

func TestCheckoutHasTheOrderPriced(t *testing.T) {
	s := middlewaretest.NewServer(t, newRegistry())
	if err := checkout(t.Context(), s.Middleware, Order{ID: "o-1", Qty: 3}); err != nil { // your code, which sends
		t.Fatal(err)
	}
	middlewaretest.RequireSent(t, s, "orders.price", func(o Order) bool { return o.ID == "o-1" })
}

func TestReadmeTestYourTasks(t *testing.T) {
	s := middlewaretest.NewServer(t, newRegistry())
	require.NoError(t, registerTasks(s.Middleware))
	stock := map[string]int{}
	require.NoError(t, s.Middleware.RegisterTask("stock.set", func(sku string, n int) error {
		stock[sku] = n
		return nil
	}))
	signature, err := s.Middleware.Signature(t.Context(), "stock.set", "tea", 7)
	require.NoError(t, err)
	tomorrow := time.Now().Add(24 * time.Hour)
	_, err = s.SendTask(&tasks.Signature{Name: "stock.set", Args: signature.Args, Headers: signature.Headers, ETA: &tomorrow})
	require.NoError(t, err)

	s.Run(t.Context())        // all that is due, and what it triggers: callbacks, chains, chords
	s.Advance(24 * time.Hour) // what is due tomorrow, and retries that wait
	s.Run(t.Context())
	middlewaretest.RequireIdempotent(t, s, signature, func() any { return maps.Clone(stock) })

	require.Equal(t, map[string]int{"tea": 7}, stock)
}
