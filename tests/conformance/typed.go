package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var typedCases = []testCase{
	{name: "a typed task takes and returns its types", run: typedTask},
	{name: "a typed task's failure keeps its type", run: typedTaskFails},
	{name: "an error of a registered type reaches whoever awaits it", run: typedFailure},
	{name: "an error of a registered type reaches an error callback", run: typedFailureInCallback},
	{name: "slices travel in envelopes where that is wanted", run: envelopeSlices},
}

func typedTask(t *testing.T, f *fixture) {
	ship := middleware.NewTask[[]Order, map[string]Receipt]("ship-" + uuid.NewString())
	require.NoError(t, ship.Register(f.worker, func(_ context.Context, orders []Order) (map[string]Receipt, error) {
		receipts := make(map[string]Receipt)
		for _, o := range orders {
			receipts[o.ID] = receiptOf(o)
		}
		return receipts, nil
	}))
	res, err := ship.Send(t.Context(), f.producer, []Order{order()})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	receipts, err := res.Get(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[string]Receipt{"o-1": receiptOf(order())}, receipts)
}

func typedTaskFails(t *testing.T, f *fixture) {
	ship := middleware.NewTask[Order, Receipt]("ship-" + uuid.NewString())
	require.NoError(t, ship.Register(f.worker, func(_ context.Context, o Order) (Receipt, error) {
		return Receipt{}, &OutOfStock{SKU: o.ID}
	}))
	res, err := ship.Send(t.Context(), f.producer, order(), func(s *tasks.Signature) { s.Priority = 1 })
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err = res.Get(ctx)
	var missing *OutOfStock
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "o-1", missing.SKU)
}

func typedFailure(t *testing.T, f *fixture) {
	name := f.register(t, func(o Order) error {
		return errors.Join(errors.New("cannot ship"), fmt.Errorf("order %s: %w", o.ID, &OutOfStock{SKU: "tea"}))
	})
	_, err := await[struct{}](t, f, f.send(t, f.signature(t, name, order())))
	assert.EqualError(t, err, "cannot ship\norder o-1: out of tea")
	var missing *OutOfStock
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, &OutOfStock{SKU: "tea"}, missing)
}

func typedFailureInCallback(t *testing.T, f *fixture) {
	received := make(chan error, 1)
	onError := f.register(t, func(err error, o Order) error {
		received <- errors.Join(err, errors.New(o.ID))
		return nil
	})
	for _, failure := range []error{&OutOfStock{SKU: "tea"}, errors.New("no " + `{"$envelope":1}`)} {
		name := f.register(t, func() error { return failure })
		s := f.signature(t, name)
		s.OnError = []*tasks.Signature{f.signature(t, onError, order())}
		f.send(t, s)
		err := receive(t, received)
		assert.EqualError(t, err, failure.Error()+"\no-1")
		var want, got *OutOfStock
		require.Equal(t, errors.As(failure, &want), errors.As(err, &got))
		assert.Equal(t, want, got)
	}
}

func envelopeSlices(t *testing.T, shared *fixture) {
	f := newFixture(t, shared.transport, middleware.EnvelopeSlices())
	name := f.register(t, func(ctx context.Context, raw []byte, ids []int64) ([]byte, error) {
		for _, arg := range tasks.SignatureFromContext(ctx).Args {
			if text, ok := arg.Value.(string); !ok || !envelope.Is(text) {
				return nil, fmt.Errorf("%s travels as it is", arg.Type)
			}
		}
		return append(raw, byte(len(ids))), nil
	})
	res := f.send(t, f.signature(t, name, []byte{0, 255}, []int64{1, 2, 3}))
	assert.Equal(t, []byte{0, 255, 3}, mustAwait[[]byte](t, f, res))

	plain := f.registerPlain(t, func(raw []byte) (string, error) { return string(raw), nil })
	assert.Equal(t, "raw", mustAwait[string](t, f, f.send(t, f.signature(t, plain, []byte("raw")))))
}
