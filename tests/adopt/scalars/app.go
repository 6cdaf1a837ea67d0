// Package scalars is an application whose task takes one argument after the other, and then a struct.
package scalars

import (
	"context"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type Order struct {
	ID  string `json:"id"`
	Qty int    `json:"qty"`
}

func priceByHand(id string, qty, cents int64) (int64, error) { return qty * cents, nil }

func price(o Order, cents int64) (int64, error) { return int64(o.Qty) * cents, nil }

// NewServer makes the application's server.
func NewServer(client redis.UniversalClient) *machinery.Server {
	cnf := &config.Config{DefaultQueue: "orders", ResultsExpireIn: 3600, NoUnixSignals: true}
	return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), eagerlock.New())
}

// SendBefore is how senders call the task of old.
func SendBefore(server *machinery.Server) (middleware.Result, error) {
	return server.SendTask(&tasks.Signature{Name: "orders.price", Args: []tasks.Arg{
		{Type: "string", Value: "o-1"}, {Type: "int64", Value: int64(3)}, {Type: "int64", Value: int64(250)},
	}})
}

// RegisterBefore registers the task of old.
func RegisterBefore(server *machinery.Server) error {
	return server.RegisterTask("orders.price", priceByHand)
}

// RegisterAfter gives the new task a new name, and leaves the old one to those who still ask for it.
func RegisterAfter(server *machinery.Server) (*middleware.Middleware, error) {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	m, err := middleware.Install(server, registry)
	if err != nil {
		return nil, err
	}
	if err := RegisterBefore(server); err != nil {
		return nil, err
	}
	return m, m.RegisterTask("orders.price.v2", price)
}

// SendAfter is how senders call the new task.
func SendAfter(ctx context.Context, m *middleware.Middleware) (middleware.Result, error) {
	signature, err := m.Signature(ctx, "orders.price.v2", Order{ID: "o-1", Qty: 3}, 250)
	if err != nil {
		return nil, err
	}
	return m.SendTask(ctx, signature)
}
