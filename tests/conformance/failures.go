package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var failureCases = []testCase{
	{name: "a failing task's error text arrives", run: errorText},
	{name: "a retry publishes the original argument", run: retryPublishesTheOriginalArgument},
	{name: "a retry publishes what a foreign producer sent", run: retryOfForeignEnvelope},
	{name: "a retry for later keeps the argument", run: retryLater},
	{name: "a panic fails the task", run: panics},
	{name: "a chord fails with the error of its member", run: chordMemberFails},
	{name: "a chord fails with the error of its callback", run: chordCallbackFails},
	{name: "an unregistered type is refused at send", run: unregisteredAtSend},
	{name: "a broken envelope fails the task at once", run: brokenEnvelope},
	{name: "arguments that do not fit fail the task at once", run: misfits},
	{name: "a result that cannot travel fails the task at once", run: unsendableResult},
}

func errorText(t *testing.T, f *fixture) {
	name := f.register(t, func(Order) (Receipt, error) { return Receipt{}, errors.New("out of stock") })
	_, err := await[Receipt](t, f, f.send(t, f.signature(t, name, order())))
	assert.EqualError(t, err, "out of stock")
}

func retryPublishesTheOriginalArgument(t *testing.T, f *fixture) {
	received := make(chan Order, 2)
	var calls atomic.Int32
	name := f.register(t, func(o *Order) (string, error) {
		received <- *o
		if calls.Add(1) == 1 {
			o.ID, o.Customer, o.Notes["a"] = "changed", nil, "changed"
			return "", errors.New("try again")
		}
		return o.ID, nil
	})
	s := f.signature(t, name, order())
	s.RetryCount = 1
	assert.Equal(t, "o-1", mustAwait[string](t, f, f.send(t, s)))
	first, second := receive(t, received), receive(t, received)
	assert.Equal(t, order(), second)
	assert.Equal(t, order().ID, first.ID)
}

func retryOfForeignEnvelope(t *testing.T, f *fixture) {
	var calls atomic.Int32
	text := make(chan any, 2)
	name := f.register(t, func(ctx context.Context, l Line) error {
		text <- tasks.SignatureFromContext(ctx).Args[0].Value
		if calls.Add(1) == 1 {
			return errors.New("try again")
		}
		return nil
	})
	const sent = `{"$envelope":1, "unknown": 0, "type": "shop.Line", "data": {"sku": "x", "quantity": 1, "price": 1} }`
	s := &tasks.Signature{Name: name, RetryCount: 1, Args: []tasks.Arg{{Type: "string", Value: sent}}}
	f.sendPastTheMiddleware(t, s)
	assert.Equal(t, sent, receive(t, text))
	assert.Equal(t, sent, receive(t, text))
}

// sendPastTheMiddleware publishes as a producer does that knows nothing of the middleware.
func (f *fixture) sendPastTheMiddleware(t *testing.T, s *tasks.Signature) middleware.Result {
	require.NoError(t, f.publishPastTheMiddleware(t.Context(), s))
	return result.NewAsyncResult(s, f.server.GetBackend())
}

func (f *fixture) publishPastTheMiddleware(ctx context.Context, s *tasks.Signature) error {
	s.UUID = "task_" + uuid.NewString()
	return f.server.GetBroker().(interface{ Unwrap() brokersiface.Broker }).Unwrap().Publish(ctx, s)
}

func retryLater(t *testing.T, f *fixture) {
	var calls atomic.Int32
	name := f.register(t, func(o Order) (string, error) {
		if calls.Add(1) == 1 {
			return "", tasks.NewErrRetryTaskLater("busy", delay)
		}
		return o.ID, nil
	})
	assert.Equal(t, "o-1", mustAwait[string](t, f, f.send(t, f.signature(t, name, order()))))
}

func chordMemberFails(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Line, error) {
		if line.SKU == "bad" {
			return line, errors.New("out of bad")
		}
		return line, nil
	})
	callback := f.register(t, func(lines ...Line) (Line, error) { return lines[0], nil })
	_, err := await[Line](t, f, f.sendChord(t, callback, f.signature(t, member, Line{SKU: "good"}), f.signature(t, member, Line{SKU: "bad"})))
	assert.EqualError(t, err, "out of bad")
}

func chordCallbackFails(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Line, error) { return line, nil })
	callback := f.register(t, func(lines ...Line) (Line, error) { return Line{}, errors.New("no room") })
	_, err := await[Line](t, f, f.sendChord(t, callback, f.signature(t, member, Line{SKU: "good"})))
	assert.EqualError(t, err, "no room")
}

func panics(t *testing.T, f *fixture) {
	name := f.register(t, func(o Order) (string, error) { panic("broken " + o.ID) })
	_, err := await[string](t, f, f.send(t, f.signature(t, name, order())))
	assert.EqualError(t, err, "broken o-1")
}

func unregisteredAtSend(t *testing.T, f *fixture) {
	var ran atomic.Bool
	name := f.register(t, func(any) error {
		ran.Store(true)
		return nil
	})
	_, err := f.producer.Signature(t.Context(), name, Unregistered{"s3cret"})
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	s := &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: Unregistered{"s3cret"}}}}
	_, sendErr := f.server.SendTask(s)
	for _, err := range []error{err, sendErr} {
		require.ErrorContains(t, err, "conformance.Unregistered")
		require.ErrorContains(t, err, "envelope.MustRegister[conformance.Unregistered](")
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "s3cret")
	}
	f.workerLives(t)
	assert.False(t, ran.Load(), "the task was published")
}

func brokenEnvelope(t *testing.T, f *fixture) {
	var ran atomic.Bool
	name := f.register(t, func(Order) error {
		ran.Store(true)
		return nil
	})
	for _, text := range []string{
		`{"$envelope":1,"type":"shop.Order","data":{"id":7}}`,
		`{"$envelope":1,"type":"shop.Order","data":{"id":"o-1"`,
		`{"$envelope":1,"type":"shop.Nothing","data":{}}`,
		`{"$envelope":1,"type":"shop.Line","data":{"sku":"x","quantity":1,"price":1}}`,
		`{"$envelope":2,"type":"shop.Order","data":{}}`,
		`{"$envelope":`,
		`not an envelope`,
	} {
		s := textSignature(name, text)
		s.RetryCount = 3
		_, err := await[struct{}](t, f, f.sendPastTheMiddleware(t, s))
		require.ErrorContains(t, err, name, "for %s", text)
		require.ErrorContains(t, err, "conformance.Order")
	}
	f.workerLives(t)
	assert.False(t, ran.Load())
}

func misfits(t *testing.T, f *fixture) {
	name := f.register(t, func(small int8, o Order) error { return nil })
	good := f.signature(t, name, 1, order()).Args[1]
	for _, c := range []struct {
		args []tasks.Arg
		want string
	}{
		{[]tasks.Arg{{Type: "int8", Value: 300}, good}, "argument 1 (int8)"},
		{[]tasks.Arg{{Type: "int64", Value: 300}, good}, "argument 1 (int8)"},
		{[]tasks.Arg{{Type: "string", Value: "x"}, good}, "argument 1 (int8)"},
		{[]tasks.Arg{{Type: "int8", Value: 1}, {Type: "int8", Value: 1}}, "argument 2 (conformance.Order)"},
		{[]tasks.Arg{{Type: "int8", Value: 1}}, "takes 2, got 1"},
		{[]tasks.Arg{{Type: "int8", Value: 1}, good, good}, "takes 2, got 3"},
	} {
		s := textSignature(name, "")
		s.Args, s.RetryCount = c.args, 3
		_, err := await[struct{}](t, f, f.sendPastTheMiddleware(t, s))
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, c.want)
	}
}

func unsendableResult(t *testing.T, f *fixture) {
	name := f.register(t, func() (any, error) { return Unregistered{"s3cret"}, nil })
	s := f.signature(t, name)
	s.RetryCount = 3
	_, err := await[any](t, f, f.send(t, s))
	require.ErrorContains(t, err, "envelope.MustRegister[conformance.Unregistered](")
	require.ErrorContains(t, err, name)
}

func textSignature(name, text string) *tasks.Signature {
	return &tasks.Signature{
		Name: name,
		Args: []tasks.Arg{{Type: "string", Value: text}},
	}
}

// workerLives makes sure that the worker still does its work.
func (f *fixture) workerLives(t *testing.T) {
	name := f.register(t, func(o Order) (string, error) { return o.ID, nil })
	assert.Equal(t, "o-1", mustAwait[string](t, f, f.send(t, f.signature(t, name, order()))))
}

func receive[T any](t *testing.T, from <-chan T) T {
	select {
	case value := <-from:
		return value
	case <-time.After(timeout):
		require.FailNow(t, "nothing arrived")
		panic("unreachable")
	}
}
