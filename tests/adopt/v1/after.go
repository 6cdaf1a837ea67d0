package v1

import (
	"context"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// newServer makes the server of Machinery v2 that the URL stood for.
func newServer(url string) (*machinery.Server, error) {
	cnf := &config.Config{DefaultQueue: "orders", ResultsExpireIn: 3600, NoUnixSignals: true}
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	lock := eagerlock.New()
	return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), lock), nil
}

// After prices an order on Machinery v2.
func After(ctx context.Context, url string, o Order) (Quote, error) {
	server, err := newServer(url)
	if err != nil {
		return Quote{}, err
	}
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")
	if err := registry.Check(); err != nil {
		return Quote{}, err
	}
	m, err := middleware.Install(server, registry)
	if err != nil {
		return Quote{}, err
	}
	if err := m.RegisterTask("orders.price", price); err != nil {
		return Quote{}, err
	}
	defer launch(server)()
	signature, err := m.Signature(ctx, "orders.price", o, 250)
	if err != nil {
		return Quote{}, err
	}
	sent, err := server.SendTaskWithContext(ctx, signature)
	if err != nil {
		return Quote{}, err
	}
	return middleware.Await[Quote](ctx, m, sent)
}

func launch(server *machinery.Server) (quit func()) {
	worker := server.NewWorker("orders", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	return func() {
		worker.Quit()
		<-ended
	}
}

// Find waits for a task that Machinery v1 has left in the queue.
func Find(ctx context.Context, url, task, uuid string) (string, error) {
	server, err := newServer(url)
	if err != nil {
		return "", err
	}
	m, err := middleware.Install(server, envelope.NewRegistry())
	if err != nil {
		return "", err
	}
	if err := server.RegisterTask(task, func(text string) (string, error) { return text, nil }); err != nil {
		return "", err
	}
	defer launch(server)()
	return middleware.Await[string](ctx, m, result.NewAsyncResult(&tasks.Signature{UUID: uuid}, server.GetBackend()))
}
