package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var valueCases = []testCase{
	{name: "a registered base type is encrypted wherever it stands", run: registeredBaseIsEncrypted},
	{name: "a registered base type keeps its type in interfaces", run: registeredBaseInInterfaces},
	{name: "a plain task gets the base value of a registered type", run: registeredBaseInPlainTask},
	{name: "a retry of a plain task gets the base value again", run: plainRetry},
	{name: "what has to be encrypted is refused in clear text", run: clearTextIsRefused},
	{name: "errors are arguments and results", run: errorValues},
	{name: "several errors of registered types are found", run: joinedFailures},
	{name: "an error arrives without the cause that cannot travel", run: failureWithoutCause},
	{name: "typed tasks without argument or result", run: nothingToSay},
	{name: "sets travel", run: sets},
}

const number Card = "4111-1111"

func registeredBaseIsEncrypted(t *testing.T, f *fixture) {
	sent := make(chan []tasks.Arg, 2) // an eager broker runs the whole chain before anybody receives
	name := f.register(t, func(ctx context.Context, card Card, cards []Card, pointer *Card, more ...Card) (Card, []Card, error) {
		sent <- tasks.SignatureFromContext(ctx).Args
		return card + cards[0] + *pointer + more[0], more, nil
	})
	next := f.register(t, func(ctx context.Context, card Card, cards []Card) (Card, error) {
		sent <- tasks.SignatureFromContext(ctx).Args
		return card + cards[0], nil
	})
	pointer := number
	byHand := &tasks.Signature{Name: name, Args: []tasks.Arg{
		{Type: "string", Value: number}, {Type: "[]string", Value: []Card{number}}, {Value: &pointer}, {Type: "string", Value: number},
	}}
	for _, s := range []*tasks.Signature{f.signature(t, name, number, []Card{number}, &pointer, number), byHand} {
		chain, err := tasks.NewChain(s, f.signature(t, next))
		require.NoError(t, err)
		res, err := f.producer.SendChain(t.Context(), chain)
		require.NoError(t, err)
		assert.Equal(t, strings.Repeat(string(number), 5), string(mustAwait[Card](t, f, res)))
		for _, arg := range append(receive(t, sent), receive(t, sent)...) {
			assert.Contains(t, arg.Value, `"encoding":["aead"]`)
			assert.Contains(t, arg.Value, "shop.Card")
		}
	}
}

func registeredBaseInInterfaces(t *testing.T, f *fixture) {
	name := f.register(t, func(shape Shape, values ...any) (float64, string, error) {
		return shape.Area(), fmt.Sprintf("%T %T %T", values...), nil
	})
	var area float64
	var types string
	scan(t, f, f.send(t, f.signature(t, name, Edge(3), number, time.Second, Level(1))), &area, &types)
	assert.Equal(t, 9.0, area)
	assert.Equal(t, "conformance.Card time.Duration int", types, "types that are not registered are erased")
}

func registeredBaseInPlainTask(t *testing.T, f *fixture) {
	plain := f.registerPlain(t, func(card string, wait int64, cards []string) (string, error) {
		return fmt.Sprint(card, time.Duration(wait), cards), nil
	})
	res := f.send(t, f.signature(t, plain, number, time.Second, []Card{number}))
	assert.Equal(t, "4111-11111s [4111-1111]", mustAwait[string](t, f, res))

	wrapped := f.register(t, func(card string, wait int64, cards []string) (Card, error) {
		return Card(fmt.Sprint(card, time.Duration(wait), cards)), nil
	})
	res = f.send(t, f.signature(t, wrapped, number, time.Second, []Card{number}))
	assert.Equal(t, "4111-11111s [4111-1111]", mustAwait[string](t, f, res))
}

func plainRetry(t *testing.T, f *fixture) {
	received := make(chan string, 2)
	var calls atomic.Int32
	plain := f.registerPlain(t, func(card string) error {
		received <- card
		if calls.Add(1) == 1 {
			return tasks.NewErrRetryTaskLater("busy", delay)
		}
		return nil
	})
	f.send(t, f.signature(t, plain, number))
	assert.Equal(t, string(number), receive(t, received))
	assert.Equal(t, string(number), receive(t, received))
}

func clearTextIsRefused(t *testing.T, f *fixture) {
	for _, fn := range []any{func(Card) error { return nil }, func(*Card) error { return nil }, func(...Card) error { return nil }} {
		name := f.register(t, fn)
		require.ErrorContains(t, f.refusal(t, name, string(number)), envelope.ErrUnencrypted.Error())
		res := f.sendPastTheMiddleware(t, textSignature(name, string(number)))
		_, err := await[struct{}](t, f, res)
		require.ErrorContains(t, err, envelope.ErrUnencrypted.Error())
	}
}

func errorValues(t *testing.T, f *fixture) {
	name := f.register(t, func(err error, more ...error) (error, error, error) {
		var missing *OutOfStock
		if err != nil || more[0] != nil || !errors.As(more[1], &missing) || !errors.Is(more[2], Declined{Card: number}) {
			return nil, nil, fmt.Errorf("got %v, %v", err, more)
		}
		return nil, missing, nil
	})
	res := f.send(t, f.signature(t, name, nil, nil, &OutOfStock{SKU: "tea"}, Declined{Card: number}))
	none, got := errors.New("to be overwritten"), error(nil)
	scan(t, f, res, &none, &got)
	require.NoError(t, none)
	assert.Equal(t, &OutOfStock{SKU: "tea"}, got)
}

func joinedFailures(t *testing.T, f *fixture) {
	failures := []error{
		errors.Join(errors.New("no"), &OutOfStock{SKU: "tea"}, Declined{Card: number}),
		fmt.Errorf("no: %w, %w", fmt.Errorf("items: %w", &OutOfStock{SKU: "tea"}), Declined{Card: number}),
	}
	received := make(chan error, 1)
	onError := f.register(t, func(err error) error {
		received <- err
		return nil
	})
	for _, failure := range failures {
		name := f.register(t, func() error { return failure })
		s := f.signature(t, name)
		s.OnError = []*tasks.Signature{f.signature(t, onError)}
		_, awaited := await[struct{}](t, f, f.send(t, s))
		for _, err := range []error{awaited, receive(t, received)} {
			require.EqualError(t, err, failure.Error())
			var missing *OutOfStock
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, &OutOfStock{SKU: "tea"}, missing)
			require.ErrorIs(t, err, Declined{Card: number})
		}
	}
}

func failureWithoutCause(t *testing.T, f *fixture) {
	name := f.register(t, func(withCause bool) error {
		if withCause {
			return Declined{Card: number, Cause: &OutOfStock{SKU: "tea"}}
		}
		return Declined{Card: number, Cause: errors.New("of a type that is not registered")}
	})
	var declined Declined
	_, err := await[struct{}](t, f, f.send(t, f.signature(t, name, true)))
	require.ErrorAs(t, err, &declined)
	assert.Equal(t, Declined{Card: number, Cause: &OutOfStock{SKU: "tea"}}, declined)
	_, err = await[struct{}](t, f, f.send(t, f.signature(t, name, false)))
	require.ErrorAs(t, err, &declined)
	assert.Equal(t, Declined{Card: number}, declined)
}

func nothingToSay(t *testing.T, f *fixture) {
	note := middleware.NewTask[Order, struct{}]("note-" + uuid.NewString())
	ask := middleware.NewTask[struct{}, Line]("ask-" + uuid.NewString())
	price := middleware.NewTask[Line, Receipt]("price-" + uuid.NewString())
	rest := middleware.NewTask[struct{}, struct{}]("rest-" + uuid.NewString())
	require.NoError(t, note.Register(f.worker, func(context.Context, Order) (struct{}, error) { return struct{}{}, nil }))
	require.NoError(t, ask.Register(f.worker, func(context.Context, struct{}) (Line, error) { return Line{SKU: "tea"}, nil }))
	require.NoError(t, price.Register(f.worker, func(_ context.Context, l Line) (Receipt, error) { return Receipt{OrderID: l.SKU}, nil }))
	require.NoError(t, rest.Register(f.worker, func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))

	noted, err := note.Send(t.Context(), f.producer, order())
	require.NoError(t, err)
	_, err = noted.Get(t.Context())
	require.NoError(t, err)

	signatures := make([]*tasks.Signature, 0, 4)
	for _, sign := range []func() (*tasks.Signature, error){
		func() (*tasks.Signature, error) { return note.Signature(t.Context(), f.producer, order()) },
		func() (*tasks.Signature, error) { return ask.Signature(t.Context(), f.producer, struct{}{}) },
		func() (*tasks.Signature, error) { return f.producer.Signature(t.Context(), price.Name()) },
		func() (*tasks.Signature, error) { return rest.Signature(t.Context(), f.producer, struct{}{}) },
	} {
		s, err := sign()
		require.NoError(t, err)
		signatures = append(signatures, s)
	}
	assert.Empty(t, signatures[1].Args)
	priced, err := tasks.NewChain(signatures[:3]...)
	require.NoError(t, err)
	res, err := f.producer.SendChain(t.Context(), priced)
	require.NoError(t, err)
	assert.Equal(t, Receipt{OrderID: "tea"}, mustAwait[Receipt](t, f, res))

	first, err := ask.Signature(t.Context(), f.producer, struct{}{})
	require.NoError(t, err)
	rested, err := tasks.NewChain(first, signatures[3])
	require.NoError(t, err)
	res, err = f.producer.SendChain(t.Context(), rested)
	require.NoError(t, err)
	mustAwait[struct{}](t, f, res)
}

func sets(t *testing.T, f *fixture) {
	type set = map[string]struct{}
	name := f.register(t, func(s set, other any, none struct{}) (set, error) {
		for key := range other.(set) {
			s[key] = none
		}
		return s, nil
	})
	res := f.send(t, f.signature(t, name, set{"a": {}}, set{"b": {}}, struct{}{}))
	assert.Equal(t, set{"a": {}, "b": {}}, mustAwait[set](t, f, res))
}
