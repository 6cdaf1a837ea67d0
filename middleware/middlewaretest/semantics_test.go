package middlewaretest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

func TestAPeriodicTaskOfTwoServersFiresOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		other := s.Connect(newRegistry())
		for _, one := range []*middlewaretest.Server{s, other} {
			require.NoError(t, one.RegisterPeriodicTask("0 * * * *", "hourly", signature(t, one, "orders.price", order, 250)))
		}
		s.Advance(3*time.Hour + time.Minute)
		synctest.Wait()
		assert.Equal(t, 3, s.Run(t.Context()))
	})
}

func TestTheHandlerOfAnErrorRuns(t *testing.T) {
	s := newShop(t)
	register(t, s, "fails", func() error { return errors.New("out of stock") })
	var handled string
	register(t, s, "handle", func(text string) error { handled = text; return nil })
	fails := signature(t, s, "fails")
	fails.OnError = []*tasks.Signature{signature(t, s, "handle")}
	send(t, s, fails)
	assert.Equal(t, 2, s.Run(t.Context()))
	assert.Equal(t, "out of stock", handled)
}

func TestTheFirstRetryIsAsLateAsItsTimeout(t *testing.T) {
	s := newShop(t)
	calls := 0
	register(t, s, "flaky", func() error {
		calls++
		return errors.New("busy")
	})
	flaky := signature(t, s, "flaky")
	flaky.RetryCount, flaky.RetryTimeout = 1, 60
	send(t, s, flaky)
	s.Run(t.Context())
	s.Advance(time.Minute)
	assert.Equal(t, 0, s.Run(t.Context()), "Machinery takes the next Fibonacci number")
	s.Advance(29 * time.Second)
	assert.Equal(t, 1, s.Run(t.Context()))
	assert.Equal(t, 2, calls)
}

func TestAGroupWithALimitRuns(t *testing.T) {
	s := newShop(t)
	var members []*tasks.Signature
	for range 3 {
		members = append(members, signature(t, s, "orders.price", order, 250))
	}
	group, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	results, err := s.Middleware.SendGroup(t.Context(), group, 2)
	require.NoError(t, err)
	assert.Equal(t, 3, s.Run(t.Context()))
	for _, res := range results {
		assert.Equal(t, "o-1", await[Quote](t, s, res).OrderID)
	}
}

func TestPriorityPlaysNoPart(t *testing.T) {
	s := newShop(t)
	var ran []string
	register(t, s, "run", func(name string) error { ran = append(ran, name); return nil })
	for i, name := range []string{"low", "high"} {
		made := signature(t, s, "run", name)
		made.Priority = uint8(9 * i)
		send(t, s, made)
	}
	s.Run(t.Context())
	assert.Equal(t, []string{"low", "high"}, ran)
}

func TestANilSignatureFailsTheTest(t *testing.T) {
	s := newShop(t)
	for want, test := range map[string]func(middlewaretest.TB){
		"Run: the signature is nil":               func(tb middlewaretest.TB) { _, _ = middlewaretest.Run[Quote](tb, s.Middleware, nil) },
		"RequireIdempotent: the signature is nil": func(tb middlewaretest.TB) { middlewaretest.RequireIdempotent(tb, s, nil, nil) },
	} {
		assert.Equal(t, "middlewaretest: "+want, failureOf(t, test))
	}
}
