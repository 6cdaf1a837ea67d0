//lint:file-ignore SA4006 documents leave the handling of errors to their readers

package documents_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	goredisv9 "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestReadmeTenLines(t *testing.T) {
	ctx := newContext(t)
	server := newServer(t)

	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")

	m, err := middleware.Install(server, registry) // your existing *machinery.Server
	err = m.RegisterTask("orders.price", func(ctx context.Context, o Order, cents int64) (Quote, error) {
		return price(o, cents)
	})
	worker := server.NewWorker("worker-1", 10) // in a process that works
	go worker.Launch()                         // it returns when the worker stops

	signature, err := m.Signature(ctx, "orders.price", Order{ID: "o-1", Qty: 3}, 250)
	result, err := server.SendTaskWithContext(ctx, signature)
	quote, err := middleware.Await[Quote](ctx, m, result)

	require.NoError(t, err)
	require.Equal(t, Quote{"o-1", 750}, quote)
	worker.Quit()
}

func TestReadmeExistingServer(t *testing.T) {
	server := newServer(t)
	add := func() error {
		registry := envelope.NewRegistry()
		envelope.MustRegister[Order](registry, "orders.Order")
		envelope.MustRegister[Quote](registry, "orders.Quote")
		if err := registry.Check(); err != nil {
			return err // names the types that are still missing
		}
		m, err := middleware.Install(server, registry)
		if err != nil {
			return err
		}
		return m.RegisterTask("orders.price", price) // tasks with your types; leave the others where they are
	}
	require.NoError(t, add())
	require.Contains(t, server.GetRegisteredTaskNames(), "orders.price")
}

var Ship = middleware.NewTask[Order, Receipt]("orders.ship")

func TestReadmeTypedTasks(t *testing.T) {
	ctx, _, m := newShop(t)

	err := Ship.Register(m, func(ctx context.Context, o Order) (Receipt, error) {
		return Receipt{OrderID: o.ID}, nil
	})
	result, err := Ship.Send(ctx, m, order, func(s *tasks.Signature) { s.RetryCount = 3 })
	receipt, err := result.Get(ctx)

	require.NoError(t, err)
	require.Equal(t, Receipt{"o-1"}, receipt)
}

func registerPricing(t *testing.T, m *middleware.Middleware) {
	require.NoError(t, m.RegisterTask("orders.price", price))
	require.NoError(t, m.RegisterTask("quotes.ship", func(q Quote) (Receipt, error) { return Receipt{q.OrderID}, nil }))
	require.NoError(t, m.RegisterTask("orders.cheapest", func(quotes ...Quote) (Quote, error) {
		cheapest := quotes[0]
		for _, q := range quotes {
			if q.Cents < cheapest.Cents {
				cheapest = q
			}
		}
		return cheapest, nil
	}))
}

func TestReadmeChain(t *testing.T) {
	ctx, _, m := newShop(t)
	registerPricing(t, m)

	price, err := m.Signature(ctx, "orders.price", order, 250)
	ship, err := m.Signature(ctx, "quotes.ship") // takes the Quote that the task before it returns
	chain, err := tasks.NewChain(price, ship)
	result, err := m.SendChain(ctx, chain)
	receipt, err := middleware.Await[Receipt](ctx, m, result)

	require.NoError(t, err)
	require.Equal(t, Receipt{"o-1"}, receipt)
}

func TestReadmeGroupAndChord(t *testing.T) {
	ctx, _, m := newShop(t)
	registerPricing(t, m)

	here, err := m.Signature(ctx, "orders.price", order, 250)
	there, err := m.Signature(ctx, "orders.price", order, 240)
	cheapest, err := m.Signature(ctx, "orders.cheapest") // takes ...Quote
	group, err := tasks.NewGroup(here, there)
	chord, err := tasks.NewChord(group, cheapest)
	result, err := m.SendChord(ctx, chord, 10)
	quote, err := middleware.Await[Quote](ctx, m, result)

	require.NoError(t, err)
	require.Equal(t, Quote{"o-1", 720}, quote)
}

func TestReadmeResults(t *testing.T) {
	ctx, _, m := newShop(t)
	require.NoError(t, m.RegisterTask("orders.take", func(o Order) (Receipt, int64, error) {
		return Receipt{o.ID}, 0, OutOfStock{SKU: "tea"}
	}))
	signature, err := m.Signature(ctx, "orders.take", order)
	require.NoError(t, err)
	result, err := m.SendTask(ctx, signature)
	require.NoError(t, err)
	var sku string

	var receipt Receipt
	var left int64
	err = middleware.Scan(ctx, m, result, &receipt, &left) // a task with two results
	var outOfStock OutOfStock
	if errors.As(err, &outOfStock) { // the error that the task returned, if its type is registered
		sku = outOfStock.SKU
	}

	require.Equal(t, "tea", sku)
}

func TestReadmeNames(t *testing.T) {
	ctx, _, m := newShop(t)

	err := m.RegisterTask("orders.price", price, middleware.Params("order", "cents"))
	signature, err := m.Signature(ctx, "orders.price", middleware.Named("cents", 250), middleware.Named("order", order))

	require.NoError(t, err)
	result, err := m.SendTask(ctx, signature)
	require.NoError(t, err)
	quote, err := middleware.Await[Quote](ctx, m, result)
	require.NoError(t, err)
	require.Equal(t, int64(750), quote.Cents)
}

type OrderV1 struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

func TestReadmeVersions(t *testing.T) {
	registry := envelope.NewRegistry()

	envelope.MustRegister[Order](registry, "orders.Order", envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, old OrderV1) (Order, error) {
			return Order{ID: old.ID, Qty: old.Quantity}, nil
		}))

	var got Order
	require.NoError(t, registry.Unmarshal(context.Background(), `{"$envelope":1,"type":"orders.Order","data":{"id":"o-1","quantity":3}}`, &got))
	require.Equal(t, order, got)
}

func TestReadmeLargePayloads(t *testing.T) {
	server, client := newRedisServer(t)

	store := redisadapter.NewStore(client, redisadapter.WithStoreExpiry(3*24*time.Hour))
	registry := envelope.NewRegistry(
		envelope.Encodings(zstdencoding.New()),
		envelope.WithStore(store, 64<<10), // bytes
	)

	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	m, err := middleware.Install(server, registry, middleware.EnvelopeSlices())
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("echo", func(b []byte) ([]byte, error) { return b, nil }))
	work(t, server)
	signature, err := m.Signature(newContext(t), "echo", noise)
	require.NoError(t, err)
	require.Less(t, len(signature.Args[0].Value.(string)), 200)
	result, err := m.SendTask(newContext(t), signature)
	require.NoError(t, err)
	got, err := middleware.Await[[]byte](newContext(t), m, result)
	require.NoError(t, err)
	require.Equal(t, noise, got)
}

func TestReadmeEncryptionAndSigning(t *testing.T) {
	server := newServer(t)
	encryptionKeys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	signingKeys, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	require.NoError(t, err)
	install := func() error {
		cipher, err := aead.New(encryptionKeys) // *keyset.Handle, from a file or a key management service
		if err != nil {
			return err
		}
		code, err := mac.New(signingKeys)
		if err != nil {
			return err
		}
		registry := envelope.NewRegistry(envelope.EncryptAll(cipher))
		m, err := middleware.Install(server, registry, middleware.EnvelopeAll(), middleware.SignTasks(code))
		if err != nil {
			return err
		}
		work(t, server)
		return addSecretly(newContext(t), m)
	}
	require.NoError(t, install())
}

// addSecretly sends numbers that nobody can read on their way.
func addSecretly(ctx context.Context, m *middleware.Middleware) error {
	if err := m.RegisterTask("add", func(a, b int64) (int64, error) { return a + b, nil }); err != nil {
		return err
	}
	signature, err := m.Signature(ctx, "add", int64(4711), int64(1))
	if err != nil {
		return err
	}
	if text := fmt.Sprint(signature.Args); strings.Contains(text, "4711") {
		return errors.New("readable: " + text)
	}
	result, err := m.SendTask(ctx, signature)
	if err != nil {
		return err
	}
	sum, err := middleware.Await[int64](ctx, m, result)
	if err == nil && sum != 4712 {
		err = fmt.Errorf("sum is %d", sum)
	}
	return err
}

func TestReadmeDeadLetters(t *testing.T) {
	ctx := newContext(t)
	other, client := newRedisServer(t)
	cnf := other.GetConfig()
	registry := shopRegistry()

	dead := redisadapter.NewDeadLetters(client, "orders:dead")
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithDeadLetters(dead))
	lock := redisadapter.NewLock(client)
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), lock)
	m, err := middleware.Install(server, registry, middleware.WithDeadLetterFailures())

	require.NoError(t, err)
	work(t, server)
	var stocked atomic.Bool
	require.NoError(t, m.RegisterTask("orders.take", func(o Order) error {
		if !stocked.Load() {
			return OutOfStock{SKU: "tea"}
		}
		return nil
	}))
	signature, err := m.Signature(ctx, "orders.take", order)
	require.NoError(t, err)
	result, err := m.SendTask(ctx, signature)
	require.NoError(t, err)
	_, err = middleware.Await[struct{}](ctx, m, result)
	require.Error(t, err)
	require.Eventually(t, func() bool {
		count, err := dead.Count(ctx)
		return err == nil && count == 1
	}, 10*time.Second, time.Millisecond)
	stocked.Store(true)

	for letter, err := range dead.All(ctx) {
		fmt.Println(letter.ID, letter.Reason, err)
	}
	replayed, err := dead.ReplayAll(ctx) // each runs as it was sent

	require.NoError(t, err)
	require.Equal(t, 1, replayed)
	require.Eventually(t, func() bool {
		state, err := server.GetBackend().GetState(signature.UUID)
		return err == nil && state.IsSuccess()
	}, 10*time.Second, time.Millisecond)
}

func TestReadmeRedisAndRabbitMQ(t *testing.T) {
	cnf := &config.Config{Broker: "amqp://localhost"}

	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"}) // or Sentinel, or redisadapter.NewClusterClient
	lock := redisadapter.NewLock(client)
	server := machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), lock)

	broker := amqpadapter.NewBroker(cnf)
	backend := redisadapter.NewBackend(cnf, client) // RabbitMQ's own gives each result once only

	require.NoError(t, client.Close())
	require.NotNil(t, server.GetBroker())
	require.NotNil(t, broker)
	require.NotNil(t, backend)
}

func TestReadmeSeveralQueues(t *testing.T) {
	cnf := &config.Config{}
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})

	weights := map[string]int{"urgent": 6, "orders": 3, "reports": 1}
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithQueueWeights(weights), redisadapter.WithPriorities())

	urgent := &tasks.Signature{Name: "orders.price", RoutingKey: "urgent", Priority: 9}
	require.NoError(t, broker.Publish(t.Context(), urgent))
	require.NoError(t, client.Close())
}

func TestReadmeClientOfV9(t *testing.T) {
	embedded := miniredis.RunT(t)
	application := goredisv9.NewClient(&goredisv9.Options{Addr: embedded.Addr()})
	defer application.Close()

	client, err := redisv9.ClientFromV9(application)

	require.NoError(t, err)
	require.NoError(t, client.Ping(t.Context()).Err())
	require.NoError(t, client.Close())
}

func TestReadmePeriodicTasks(t *testing.T) {
	server := newServer(t)
	signature := &tasks.Signature{Name: "reports.daily"}

	err := server.RegisterPeriodicTask("0 6 * * *", "daily", signature)

	require.NoError(t, err)
}
