package middleware_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// allocated returns how many bytes of memory a call takes, those included that it gives back. Nothing else may run.
func allocated(call func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// growsInProportion requires that 32 times as much takes no more than 32 times the memory, and to be sure 4 times that.
func growsInProportion(t *testing.T, small int, call func(n int)) {
	call(small) // what is made once
	short := allocated(func() { call(small) })
	long := allocated(func() { call(32 * small) })
	assert.Less(t, long, 4*32*(short+1024))
}

func TestSendingTakesMemoryInProportionToTheEnvelopes(t *testing.T) {
	server, m := install(t, &recorder{})
	growsInProportion(t, 100, func(n int) {
		values := make([]any, n)
		for i := range values {
			values[i] = order{ID: strconv.Itoa(i)}
		}
		s, err := m.Signature(t.Context(), "t", values...)
		require.NoError(t, err)
		require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	})
}

// manyHeaders is a propagator that sets so many headers.
type manyHeaders int

func (n manyHeaders) Inject(_ context.Context, carrier middleware.Carrier) {
	for i := range int(n) {
		carrier.Set(strconv.Itoa(i), "value")
	}
}

func (manyHeaders) Extract(ctx context.Context, _ middleware.Carrier) context.Context { return ctx }

func TestSendingTakesMemoryInProportionToTheHeaders(t *testing.T) {
	growsInProportion(t, 20, func(n int) {
		broker := &recorder{}
		server, _ := install(t, broker, middleware.WithPropagator(manyHeaders(n)))
		require.NoError(t, server.GetBroker().Publish(t.Context(), &tasks.Signature{Name: "t"}))
		require.Len(t, broker.published[0].Headers, n)
	})
}

func TestAnEnvelopeThatATaskGetsAsATextIsNotTakenApart(t *testing.T) {
	w := newWorkplace(t, middleware.WithObserver(&watcher{}))
	got := ""
	take := func(text string) error { got = text; return nil }
	require.NoError(t, w.server.RegisterTask("plain", take))
	require.NoError(t, w.m.RegisterTask("wrapped", take))
	text := `{"$envelope":1,"type":"shop.Order","data":{"ID":"` + strings.Repeat("1", 1<<20) + `"}}`
	for _, name := range []string{"plain", "wrapped"} {
		deliver := func() {
			s := signatureOf(name, text)
			s.Headers = tasks.Headers{middleware.FormatHeader: "1"}
			require.NoError(t, w.deliver(s))
		}
		deliver() // and logged
		assert.Less(t, allocated(deliver), len(text)/2, name)
		assert.Equal(t, text, got, name)
	}
}

// This takes a minute if the place of each argument is looked for from the first one on.
func TestArgumentsFindTheirPlacesInProportionateTime(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	require.NoError(t, m.RegisterTask("t", func(first int64, _ ...int64) error { return nil }, middleware.Params("first")))
	values := make([]any, 1<<19)
	for i := range values {
		values[i] = int64(i)
	}
	s, err := m.Signature(t.Context(), "t", append(values, middleware.Named("first", int64(-1)))...)
	require.NoError(t, err)
	require.Len(t, s.Args, len(values)+1)
}
