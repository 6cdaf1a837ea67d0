package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// turnedDown is an error whose fields are for the caller: its text shows none.
type turnedDown struct{ Card string }

func (*turnedDown) Error() string { return "declined" }

func TestTheFieldsOfAnErrorReachTheCallerAndNoLetterAndNoLog(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t, middleware.WithDeadLetterFailures())
	envelope.MustRegister[turnedDown](w.registry, "bank.Declined")
	require.NoError(t, w.m.RegisterTask("pay", func(string) error { return fmt.Errorf("pay: %w", &turnedDown{Card: "4711"}) }))
	var logged string
	worker := w.m.NewWorker("w", 1)
	worker.SetErrorHandler(func(err error) { logged = fmt.Sprintf("Failed processing task. Error = %v", err) })
	_, err := w.server.GetBroker().StartConsuming("w", 1, worker)
	require.NoError(t, err)

	s := signatureOf("pay", "x")
	require.NoError(t, w.deliver(s))
	assert.Equal(t, "Failed processing task. Error = pay: declined", logged)
	require.Len(t, w.dead.reasons, 1)
	assert.EqualError(t, w.dead.reasons[0], "pay: declined")
	var found *turnedDown
	_, err = middleware.Await[struct{}](t.Context(), w.m, w.result(s.UUID))
	require.ErrorAs(t, err, &found)
	assert.Equal(t, "4711", found.Card)
}

func TestAZeroStructThatWasPutInByHandIsLoggedOnce(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	w := newLoggedWorkplace(t, middleware.WithLogger(lines.logger()))
	for _, value := range []any{order{ID: "o-1"}, order{}, &order{}} {
		require.NoError(t, w.server.GetBroker().Publish(t.Context(), &tasks.Signature{Name: "t", Args: []tasks.Arg{{Value: value}}}))
	}
	s, err := w.m.Signature(t.Context(), "u", order{})
	require.NoError(t, err)
	require.NoError(t, w.server.GetBroker().Publish(t.Context(), s))
	assert.Equal(t, []string{`level=WARN msg="envelope: an argument is the zero value of its type: make signatures of periodic ` +
		`tasks with Middleware.Signature, as Machinery copies those made by hand without their fields" task=t type=middleware_test.order`}, lines.all())
}

func TestATaskThatIsKnownByItsUUIDAloneIsNamedByIt(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err := middleware.Await[int](ctx, m, result.NewAsyncResult(&tasks.Signature{UUID: "task_1"}, newStore()))
	assert.EqualError(t, err, "await task task_1: context canceled")
}

// The oldest zones have offsets with seconds, which JSON leaves out.
func TestAnETAWithAnOddOffsetArrivesAsTheSameTime(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, _ := install(t, broker)
	for _, offset := range []int{1172, -1172, 59, -59, 3600, 0} {
		eta := time.Date(2100, 1, 2, 3, 4, 5, 6, time.FixedZone("", offset))
		s := &tasks.Signature{Name: "t", ETA: &eta, OnSuccess: []*tasks.Signature{{Name: "u", ETA: &eta}}}
		require.NoError(t, server.GetBroker().Publish(t.Context(), s))
		arrived := received(t, last(broker.published))
		assert.True(t, eta.Equal(*arrived.ETA), "%s instead of %s", arrived.ETA, eta)
		assert.True(t, eta.Equal(*arrived.OnSuccess[0].ETA))
		assert.Same(t, &eta, s.ETA, "the sender's stays")
	}
}
