package documents_test

import (
	"context"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

// The shop of the documents.
type (
	Order struct {
		ID  string `json:"id"`
		Qty int    `json:"qty"`
	}
	Quote struct {
		OrderID string `json:"order_id"`
		Cents   int64  `json:"cents"`
	}
	Receipt struct {
		OrderID string `json:"order_id"`
	}
	OutOfStock struct {
		SKU string `json:"sku"`
	}
)

func (e OutOfStock) Error() string { return "out of stock: " + e.SKU }

func price(o Order, cents int64) (Quote, error) {
	return Quote{OrderID: o.ID, Cents: int64(o.Qty) * cents}, nil
}

var order = Order{ID: "o-1", Qty: 3}

// newServer stands for the server that a reader has already.
func newServer(t *testing.T) *machinery.Server { return middlewaretest.NewServer(t, nil).Server }

// newRedisServer is for what needs Redis.
func newRedisServer(t *testing.T) (*machinery.Server, redis.UniversalClient) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	cnf := &config.Config{DefaultQueue: "documents", ResultsExpireIn: 3600, NoUnixSignals: true}
	return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), eagerlock.New()), client
}

// work runs a worker until the test has ended.
func work(t *testing.T, server *machinery.Server) {
	worker := server.NewWorker("documents", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		<-ended
	})
}

func newContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// newShop has the middleware installed, the shop's types registered and a worker.
func newShop(t *testing.T, opts ...middleware.Option) (context.Context, *machinery.Server, *middleware.Middleware) {
	server := newServer(t)
	m, err := middleware.Install(server, shopRegistry(), opts...)
	require.NoError(t, err)
	work(t, server)
	return newContext(t), server, m
}

func shopRegistry(opts ...envelope.Option) *envelope.Registry {
	registry := envelope.NewRegistry(opts...)
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")
	envelope.MustRegister[Receipt](registry, "orders.Receipt")
	envelope.MustRegister[OutOfStock](registry, "orders.OutOfStock")
	return registry
}
