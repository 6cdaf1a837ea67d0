package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// signatureCases are about what a signature has beside its arguments.
var signatureCases = []testCase{
	{name: "times arrive as sent", run: times},
	{name: "several results are scanned", run: severalResults},
	{name: "headers and priority arrive, on a retry too", run: headersAndPriority},
	{name: "a task does not arrive before its ETA", run: notBeforeETA},
	{name: "a task is retried until its retries are used up", run: retriesAreUsedUp},
	{name: "retries publish the arguments byte for byte", run: retriesKeepEveryByte},
	{name: "a panic is retried like any error", run: panicIsRetried},
	{name: "a task that nobody knows is dropped where it shall be", run: unknownTaskIsDropped},
	{name: "nil does not fit a parameter that cannot be nil", run: nilDoesNotFit},
}

func times(t *testing.T, f *fixture) {
	at := time.Date(2026, 10, 25, 2, 30, 0, 1, time.UTC)
	name := f.register(t, func(first time.Time, all []time.Time, pointer *time.Time) ([]time.Time, error) {
		return append(all, first, *pointer), nil
	})
	abroad := at.In(time.FixedZone("", -9*60*60-30*60))
	res := f.send(t, f.signature(t, name, at, []time.Time{abroad, {}}, &abroad))
	assert.Equal(t, []time.Time{abroad, {}, at, abroad}, mustAwait[[]time.Time](t, f, res))
}

func severalResults(t *testing.T, f *fixture) {
	name := f.register(t, func(o Order) (Receipt, *Line, []string, error) {
		return receiptOf(o), &o.Lines[0], nil, nil
	})
	var (
		receipt Receipt
		line    *Line
		notes   = []string{"overwritten"}
	)
	scan(t, f, f.send(t, f.signature(t, name, order())), &receipt, &line, &notes)
	assert.Equal(t, receiptOf(order()), receipt)
	assert.Equal(t, &order().Lines[0], line)
	assert.Nil(t, notes)
}

func headersAndPriority(t *testing.T, f *fixture) {
	type metadata struct {
		Tenant   any
		Priority uint8
	}
	received := make(chan metadata, 2)
	var calls atomic.Int32
	name := f.register(t, func(ctx context.Context, o Order) error {
		s := tasks.SignatureFromContext(ctx)
		received <- metadata{s.Headers["tenant"], s.Priority}
		if calls.Add(1) == 1 {
			return tasks.NewErrRetryTaskLater("busy", delay)
		}
		return nil
	})
	s := f.signature(t, name, order())
	s.Headers["tenant"], s.Priority = "acme", 3
	f.send(t, s)
	assert.Equal(t, metadata{"acme", 3}, receive(t, received))
	assert.Equal(t, metadata{"acme", 3}, receive(t, received))
}

func notBeforeETA(t *testing.T, f *fixture) {
	arrived := make(chan time.Time, 1)
	name := f.register(t, func(Order) error {
		arrived <- time.Now()
		return nil
	})
	eta := sendLater(t, f, f.signature(t, name, order()))
	// Machinery's AMQP broker cuts the delay to whole milliseconds.
	assert.False(t, receive(t, arrived).Before(eta.Add(-time.Millisecond)))
}

// sendLater sends a task with an ETA and returns that. Machinery's AMQP broker refuses an ETA that has come, as one soon
// has on a busy machine, so a later one is tried then.
func sendLater(t *testing.T, f *fixture, s *tasks.Signature) time.Time {
	t.Helper()
	for ahead := delay; ; ahead *= 2 {
		eta := time.Now().UTC().Add(ahead)
		s.ETA = &eta
		_, err := f.server.SendTaskWithContext(t.Context(), s)
		if err != nil && strings.Contains(err.Error(), "Cannot delay task") {
			continue
		}
		require.NoError(t, err)
		return eta
	}
}

func retriesAreUsedUp(t *testing.T, f *fixture) {
	var calls atomic.Int32
	name := f.register(t, func(ctx context.Context, o Order) error {
		calls.Add(1)
		tasks.SignatureFromContext(ctx).RetryTimeout = 0 // else every pause is longer than the one before
		return errors.New("out of " + o.ID)
	})
	s := f.signature(t, name, order())
	s.RetryCount = 2
	_, err := await[struct{}](t, f, f.send(t, s))
	assert.EqualError(t, err, "out of o-1")
	assert.EqualValues(t, 3, calls.Load())
}

func retriesKeepEveryByte(t *testing.T, f *fixture) {
	args := []tasks.Arg{
		{Name: "line", Type: "string", Value: `{"$envelope":1, "type" : "shop.Line", "extra":[1e2], "data":{"sku":"\u0078","price":1.50} }`},
		{Type: "int64", Value: json.Number("9223372036854775807")},
		{Type: "float64", Value: json.Number("1.50")},
		{Type: "[]uint8", Value: []byte{0, 255}},
		{Type: "[]string", Value: nil},
		{Type: "string", Value: `{"$envelope":"not one"`},
	}
	sent, err := json.Marshal(args)
	require.NoError(t, err)
	received := make(chan []byte, 3)
	var calls atomic.Int32
	name := f.register(t, func(ctx context.Context, line Line, _ int64, _ float64, _ []byte, _ []string, _ string) (Line, error) {
		text, err := json.Marshal(tasks.SignatureFromContext(ctx).Args)
		received <- text
		if calls.Add(1) < 3 {
			err = tasks.NewErrRetryTaskLater("busy", delay)
		}
		return line, err
	})
	s := &tasks.Signature{Name: name, Args: args}
	assert.Equal(t, Line{SKU: "x", Price: 1.5}, mustAwait[Line](t, f, f.sendPastTheMiddleware(t, s)))
	for range 3 {
		assert.Equal(t, string(sent), string(receive(t, received)))
	}
}

func panicIsRetried(t *testing.T, f *fixture) {
	var calls atomic.Int32
	name := f.register(t, func(o Order) (string, error) {
		if calls.Add(1) == 1 {
			panic(errors.New("broken"))
		}
		return o.ID, nil
	})
	s := f.signature(t, name, order())
	s.RetryCount = 1
	assert.Equal(t, "o-1", mustAwait[string](t, f, f.send(t, s)))
}

func unknownTaskIsDropped(t *testing.T, f *fixture) {
	name := "task-" + uuid.NewString()
	s := f.signature(t, name, order())
	s.IgnoreWhenTaskNotRegistered = true
	f.send(t, s)
	// Each of these comes after it in the queue, and was done when the next is sent.
	for range 10 {
		f.workerLives(t)
	}
	var ran atomic.Bool
	require.NoError(t, f.worker.RegisterTask(name, func(Order) error {
		ran.Store(true)
		return nil
	}))
	for range 10 {
		f.workerLives(t)
	}
	assert.False(t, ran.Load(), "it was still in the queue")
}

func nilDoesNotFit(t *testing.T, f *fixture) {
	for _, fn := range []any{func(Order) error { return nil }, func(int) error { return nil }, func([2]Line) error { return nil }} {
		name := f.register(t, fn)
		err := f.refusal(t, name, nil)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "argument 1 (")
	}
}
