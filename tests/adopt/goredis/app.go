// Package goredis is an application that has a client of go-redis v9 for its own data, and Machinery's go-redis broker.
package goredis

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/RichardKnop/machinery/v2"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	redisbroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/redis/go-redis/v9"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type Stock struct {
	SKU  string `json:"sku"`
	Left int    `json:"left"`
}

func configuration() *config.Config {
	return &config.Config{DefaultQueue: "stock", ResultsExpireIn: 3600, NoUnixSignals: true}
}

func newServer(client *redis.Client) *machinery.Server {
	cnf := configuration()
	addresses := []string{client.Options().Addr}
	return machinery.NewServer(cnf, redisbroker.NewGR(cnf, addresses, 0), redisbackend.NewGR(cnf, addresses, 0), eagerlock.New())
}

func look(ctx context.Context, client *redis.Client, sku string) (Stock, error) {
	left, err := client.Get(ctx, "stock:"+sku).Int()
	return Stock{SKU: sku, Left: left}, err
}

func launch(server *machinery.Server) (quit func()) {
	worker := server.NewWorker("stock", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	return func() {
		worker.Quit()
		<-ended
	}
}

// Before looks up what is left, with the result in JSON by hand.
func Before(_ context.Context, client *redis.Client) (stock Stock, err error) {
	server := newServer(client)
	err = server.RegisterTask("stock.look", func(ctx context.Context, sku string) (string, error) {
		stock, err := look(ctx, client, sku)
		if err != nil {
			return "", err
		}
		reply, err := json.Marshal(stock)
		return string(reply), err
	})
	if err != nil {
		return stock, err
	}
	defer launch(server)()
	result, err := server.SendTask(&tasks.Signature{Name: "stock.look", Args: []tasks.Arg{{Type: "string", Value: "tea"}}})
	if err != nil {
		return stock, err
	}
	values, err := result.Get(5 * time.Millisecond)
	if err != nil {
		return stock, err
	}
	return stock, json.Unmarshal([]byte(values[0].String()), &stock)
}

// After returns the stock itself. The sender's signature, made by hand, stays as it was.
func After(ctx context.Context, client *redis.Client) (Stock, error) {
	return withMiddleware(ctx, client, newServer(client))
}

// Adapted does so with redisadapter in the place of Machinery's broker and backend, on the client that is there.
func Adapted(ctx context.Context, application *redis.Client) (stock Stock, err error) {
	client, err := redisv9.ClientFromV9(application)
	if err != nil {
		return stock, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	cnf := configuration()
	broker, backend := redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client)
	return withMiddleware(ctx, application, machinery.NewServer(cnf, broker, backend, redisadapter.NewLock(client)))
}

func withMiddleware(ctx context.Context, client *redis.Client, server *machinery.Server) (stock Stock, err error) {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Stock](registry, "stock.Stock")
	if err := registry.Check(); err != nil {
		return stock, err
	}
	m, err := middleware.Install(server, registry)
	if err != nil {
		return stock, err
	}
	err = m.RegisterTask("stock.look", func(ctx context.Context, sku string) (Stock, error) { return look(ctx, client, sku) })
	if err != nil {
		return stock, err
	}
	defer launch(server)()
	result, err := server.SendTask(&tasks.Signature{Name: "stock.look", Args: []tasks.Arg{{Type: "string", Value: "tea"}}})
	if err != nil {
		return stock, err
	}
	return middleware.Await[Stock](ctx, m, result)
}
