package middlewaretest_test

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"testing"
	"time"

	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0)) // Machinery logs the stack of every failed task
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"), // starts with an import of Machinery's
		// a group of which a member cannot be published
		goleak.IgnoreAnyFunction("github.com/RichardKnop/machinery/v2.(*Server).SendGroupWithContext.func3"),
	)
}

type Order struct {
	ID  string `json:"id"`
	Qty int    `json:"qty"`
}

type Quote struct {
	OrderID string
	Cents   int64
}

var order = Order{ID: "o-1", Qty: 3}

func newRegistry() *envelope.Registry {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")
	return registry
}

func price(o Order, cents int64) (Quote, error) {
	return Quote{o.ID, int64(o.Qty) * cents}, nil
}

func cheapest(quotes ...Quote) (Quote, error) {
	found := quotes[0]
	for _, q := range quotes {
		if q.Cents < found.Cents {
			found = q
		}
	}
	return found, nil
}

// newShop has the tasks of a shop.
func newShop(t testing.TB, opts ...middleware.Option) *middlewaretest.Server {
	s := middlewaretest.NewServer(t, newRegistry(), opts...)
	register(t, s, "orders.price", price)
	register(t, s, "orders.cheapest", cheapest)
	return s
}

func register(t testing.TB, s *middlewaretest.Server, name string, fn any) {
	require.NoError(t, s.Middleware.RegisterTask(name, fn))
}

func signature(t testing.TB, s *middlewaretest.Server, name string, args ...any) *tasks.Signature {
	made, err := s.Middleware.Signature(t.Context(), name, args...)
	require.NoError(t, err)
	return made
}

func send(t testing.TB, s *middlewaretest.Server, made *tasks.Signature) middleware.Result {
	res, err := s.SendTask(made)
	require.NoError(t, err)
	return res
}

// await returns the result of a task that has run, or will run in a launched worker.
func await[T any](t testing.TB, s *middlewaretest.Server, res middleware.Result) T {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	value, err := middleware.Await[T](ctx, s.Middleware, res)
	require.NoError(t, err)
	return value
}

func stateOf(t testing.TB, s *middlewaretest.Server, uuid string) string {
	state, err := s.GetBackend().GetState(uuid)
	require.NoError(t, err)
	return state.State
}

// record is a TB that keeps why a test has failed, and ends its function there.
type record struct {
	testing.TB
	text string
}

func (r *record) Helper() {}

func (r *record) Fatalf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	panic(r)
}

// failureOf returns why a test fails, or the empty text.
func failureOf(t *testing.T, test func(middlewaretest.TB)) string {
	r := &record{TB: t}
	func() {
		defer func() {
			if value := recover(); value != nil && value != any(r) {
				panic(value)
			}
		}()
		test(r)
	}()
	return r.text
}
