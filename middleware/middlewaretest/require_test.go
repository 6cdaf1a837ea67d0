package middlewaretest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

func TestSent(t *testing.T) {
	s := newShop(t)
	made := signature(t, s, "orders.price", order, 250)
	eta := time.Now().Add(time.Hour).UTC().Round(0)
	made.ETA, made.RoutingKey, made.Headers["tenant"] = &eta, "special", "acme"
	made.OnSuccess = []*tasks.Signature{signature(t, s, "orders.cheapest")}
	send(t, s, made)

	sent := middlewaretest.Sent(s)
	require.Len(t, sent, 1, "a callback is not sent before its task has run")
	assert.Equal(t, made.UUID, sent[0].UUID)
	assert.Equal(t, []any{order, 250}, sent[0].Args)
	assert.Equal(t, "special", sent[0].Queue)
	assert.Equal(t, eta, *sent[0].ETA)
	assert.Equal(t, "acme", sent[0].Headers["tenant"])

	s.Advance(time.Hour)
	s.RunOne()
	sent = middlewaretest.Sent(s)
	require.Len(t, sent, 2)
	assert.Equal(t, []any{Quote{"o-1", 750}}, sent[1].Args)
}

func isOrder(id string) func(Order) bool { return func(o Order) bool { return o.ID == id } }

func TestRequireSent(t *testing.T) {
	s := newShop(t)
	send(t, s, signature(t, s, "orders.price", order, 250))
	middlewaretest.RequireSent(t, s, "orders.price", isOrder("o-1"))
	middlewaretest.RequireSent(t, s, "orders.price", func(cents int64) bool { return cents == 250 })
	middlewaretest.RequireSent[Order](t, s, "orders.price", nil)
	middlewaretest.RequireNotSent(t, s, "orders.price", isOrder("o-2"))
	middlewaretest.RequireNotSent[Order](t, s, "orders.cheapest", nil)
	middlewaretest.RequireNotSent[Quote](t, s, "orders.price", nil)
}

func TestAFailureTellsWhatWasSentAndWhatCameNearest(t *testing.T) {
	s := newShop(t)
	require1 := func(name, id string) string {
		return failureOf(t, func(tb middlewaretest.TB) { middlewaretest.RequireSent(tb, s, name, isOrder(id)) })
	}
	assert.Contains(t, require1("orders.price", "o-1"), "nothing was sent")
	send(t, s, signature(t, s, "orders.cheapest", Quote{"o-1", 1}))
	send(t, s, signature(t, s, "orders.price", order, 250))

	failure := require1("orders.price", "o-2")
	assert.Contains(t, failure, `no task "orders.price" was sent with such a middlewaretest_test.Order`)
	assert.Contains(t, failure, "  1. orders.cheapest(middlewaretest_test.Quote{OrderID:o-1 Cents:1}) in queue middlewaretest\n")
	assert.Contains(t, failure, "  2. orders.price(middlewaretest_test.Order{ID:o-1 Qty:3}, 250) in queue middlewaretest\n")
	assert.Contains(t, failure, "nearest: 2, but the function returns false for middlewaretest_test.Order{ID:o-1 Qty:3}")

	assert.Contains(t, require1("order.prices", "o-1"), `nearest: 2, with such an argument, but its name is "orders.price"`)
	assert.Contains(t, require1("order.prices", "o-2"), `nearest: 2, but its name is "orders.price"`)
	assert.Contains(t, require1("orders.cheapest", "o-1"), "nearest: 1, but no argument of it is such a middlewaretest_test.Order: ")
	assert.NotContains(t, require1("quite.another", "o-2"), "nearest")

	failure = failureOf(t, func(tb middlewaretest.TB) { middlewaretest.RequireNotSent(tb, s, "orders.price", isOrder("o-1")) })
	assert.Contains(t, failure, "this task was sent:\n  orders.price(")
}

func TestRequireSentNeedsTheMiddleware(t *testing.T) {
	failure := failureOf(t, func(tb middlewaretest.TB) {
		middlewaretest.RequireSent[Order](tb, middlewaretest.NewServer(tb, nil), "orders.price", nil)
	})
	assert.Contains(t, failure, "the middleware is not installed")
}

func TestRunReturnsTheResultOrTheError(t *testing.T) {
	s := newShop(t)
	quote, err := middlewaretest.Run[Quote](t, s.Middleware, signature(t, s, "orders.price", order, 250))
	require.NoError(t, err)
	assert.Equal(t, Quote{"o-1", 750}, quote)

	calls := 0
	register(t, s, "fail", func() error {
		calls++
		return errors.New("out of stock")
	})
	fails := signature(t, s, "fail")
	fails.RetryCount = 2
	_, err = middlewaretest.Run[struct{}](t, s.Middleware, fails)
	assert.EqualError(t, err, "out of stock")
	assert.Equal(t, 3, calls)

	s.FailPublish(1)
	_, err = middlewaretest.Run[struct{}](t, s.Middleware, signature(t, s, "fail"))
	assert.ErrorContains(t, err, middlewaretest.ErrPublish.Error())
}

func TestRunFailsTheTestForATaskThatItCannotRun(t *testing.T) {
	s := newShop(t)
	run := func(name string) string {
		return failureOf(t, func(tb middlewaretest.TB) {
			_, _ = middlewaretest.Run[struct{}](tb, s.Middleware, signature(t, s, name))
		})
	}
	assert.Contains(t, run("unknown"), `task "unknown" is not registered`)
}

// account is what tasks change.
type account struct {
	balance int
	booked  map[string]bool
}

func TestRequireIdempotent(t *testing.T) {
	tests := map[string]struct {
		task func(s *middlewaretest.Server, a *account) error
		want string // in the failure; empty where the task is idempotent
	}{
		"sets": {func(_ *middlewaretest.Server, a *account) error {
			a.balance = 100
			return nil
		}, ""},
		"looks": {func(_ *middlewaretest.Server, a *account) error {
			if !a.booked["b-1"] {
				a.balance, a.booked["b-1"] = a.balance+100, true
			}
			return nil
		}, ""},
		"adds": {func(_ *middlewaretest.Server, a *account) error {
			a.balance += 100
			return nil
		}, "delivered once: 100\ndelivered twice: 300"},
		"refuses": {func(_ *middlewaretest.Server, a *account) error {
			if a.booked["b-1"] {
				return errors.New("booked already")
			}
			a.booked["b-1"] = true
			return nil
		}, "did not succeed, delivered twice: FAILURE booked already"},
		"fails": {func(*middlewaretest.Server, *account) error { return errors.New("no") }, "delivered once: FAILURE no"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			a := &account{booked: make(map[string]bool)}
			register(t, s, "book", func() error { return test.task(s, a) })
			failure := failureOf(t, func(tb middlewaretest.TB) {
				middlewaretest.RequireIdempotent(tb, s, signature(t, s, "book"), func() any { return a.balance })
			})
			if test.want == "" {
				assert.Empty(t, failure)
			} else {
				assert.Contains(t, failure, test.want)
			}
		})
	}
}

// The task marks what it has done when it has done all of it. Only where each trial begins from nothing is there a
// death between the two.
func TestRequireIdempotentFindsADeathInBetween(t *testing.T) {
	s := newShop(t)
	a := &account{booked: make(map[string]bool)}
	register(t, s, "book", func() error {
		if a.booked["b-1"] {
			return nil
		}
		a.balance += 100
		_, err := s.SendTask(&tasks.Signature{Name: "orders.cheapest"})
		a.booked["b-1"] = true
		return err
	})
	failure := failureOf(t, func(tb middlewaretest.TB) {
		middlewaretest.RequireIdempotent(tb, s, signature(t, s, "book"), func() any {
			defer func() { *a = account{booked: make(map[string]bool)} }()
			return a.balance
		})
	})
	assert.Contains(t, failure, "delivered once: 100\ndelivered again after its worker had set STARTED and died: 200")
}
