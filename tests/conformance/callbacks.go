package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// callbackCases nest workflows in each other, as far as Machinery allows.
var callbackCases = []testCase{
	{name: "a chain's tasks have callbacks of their own", run: chainWithCallbacks},
	{name: "the members of a group have callbacks", run: groupWithCallbacks},
	{name: "a callback is a group", run: groupAsCallback},
	{name: "a chord's callback begins a chain", run: chordThenChain},
	{name: "an immutable task keeps its results to itself", run: immutableTask},
	{name: "an immutable chord callback gets its own arguments only", run: immutableChordCallback},
}

func chainWithCallbacks(t *testing.T, f *fixture) {
	price := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	audited := make(chan string, 1)
	audit := f.register(t, func(by Line, r Receipt) error {
		audited <- by.SKU + " " + r.OrderID
		return nil
	})
	ship := f.register(t, func(r Receipt) error { return fmt.Errorf("ship: %w", &OutOfStock{SKU: r.OrderID}) })
	failed := make(chan error, 1)
	onError := f.register(t, func(err error, l Line) error {
		failed <- err
		return nil
	})
	chain, err := tasks.NewChain(f.signature(t, price, order()), f.signature(t, ship))
	require.NoError(t, err)
	chain.Tasks[0].OnSuccess = append(chain.Tasks[0].OnSuccess, f.signature(t, audit, Line{SKU: "auditor"}))
	chain.Tasks[1].OnError = []*tasks.Signature{f.signature(t, onError, Line{})}
	res, err := f.producer.SendChain(t.Context(), chain)
	require.NoError(t, err)
	_, err = await[struct{}](t, f, res)
	for _, err := range []error{err, receive(t, failed)} {
		var missing *OutOfStock
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, &OutOfStock{SKU: "o-1"}, missing)
		assert.EqualError(t, err, "ship: out of o-1")
	}
	assert.Equal(t, "auditor o-1", receive(t, audited))
}

func groupWithCallbacks(t *testing.T, f *fixture) {
	outcomes := make(chan string, 2)
	member := f.register(t, func(line Line) (Line, error) {
		if line.SKU == "bad" {
			return line, errors.New("out of bad")
		}
		return line, nil
	})
	onSuccess := f.register(t, func(r Receipt, line Line) error {
		outcomes <- r.OrderID + ": " + line.SKU
		return nil
	})
	onError := f.register(t, func(err error, r Receipt) error {
		outcomes <- r.OrderID + ": " + err.Error()
		return nil
	})
	var members []*tasks.Signature
	for _, sku := range []string{"good", "bad"} {
		s := f.signature(t, member, Line{SKU: sku})
		s.OnSuccess = []*tasks.Signature{f.signature(t, onSuccess, Receipt{OrderID: sku})}
		s.OnError = []*tasks.Signature{{Name: onError, Args: []tasks.Arg{{Value: Receipt{OrderID: sku}}}}}
		members = append(members, s)
	}
	g, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	_, err = f.producer.SendGroup(t.Context(), g, f.sendConcurrency())
	require.NoError(t, err)
	got := []string{receive(t, outcomes), receive(t, outcomes)}
	assert.ElementsMatch(t, []string{"good: good", "bad: out of bad"}, got)
}

func groupAsCallback(t *testing.T, f *fixture) {
	first := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	received := make(chan string, 2)
	member := f.register(t, func(line Line, r Receipt) error {
		received <- line.SKU + " " + r.OrderID
		return nil
	})
	g, err := tasks.NewGroup(f.signature(t, member, Line{SKU: "a"}), f.signature(t, member, Line{SKU: "b"}))
	require.NoError(t, err)
	s := f.signature(t, first, order())
	s.OnSuccess = g.Tasks
	f.send(t, s)
	got := []string{receive(t, received), receive(t, received)}
	assert.ElementsMatch(t, []string{"a o-1", "b o-1"}, got)
}

func chordThenChain(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Line, error) { return line, nil })
	collect := f.register(t, func(lines ...Line) ([]Line, error) { return lines, nil })
	received := make(chan Order, 2) // some of Machinery's backends have a chord called back twice
	then := f.register(t, func(o Order, lines []Line) error {
		o.Lines = lines
		received <- o
		return nil
	})
	g, err := tasks.NewGroup(f.signature(t, member, Line{SKU: "a"}), f.signature(t, member, Line{SKU: "a"}))
	require.NoError(t, err)
	chain, err := tasks.NewChain(f.signature(t, collect), &tasks.Signature{Name: then, Args: []tasks.Arg{{Value: Order{ID: "o-2"}}}})
	require.NoError(t, err)
	c, err := tasks.NewChord(g, chain.Tasks[0])
	require.NoError(t, err)
	_, err = f.producer.SendChord(t.Context(), c, f.sendConcurrency())
	require.NoError(t, err)
	assert.Equal(t, Order{ID: "o-2", Lines: []Line{{SKU: "a"}, {SKU: "a"}}}, receive(t, received))
}

func immutableTask(t *testing.T, f *fixture) {
	first := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	received := make(chan []Line, 1)
	second := f.register(t, func(lines ...Line) error {
		received <- lines
		return nil
	})
	s := f.signature(t, first, order())
	s.Immutable = true // in Machinery it is the task before, not the callback, that says so
	s.OnSuccess = []*tasks.Signature{f.signature(t, second, Line{SKU: "own"})}
	f.send(t, s)
	assert.Equal(t, []Line{{SKU: "own"}}, receive(t, received))
}

func immutableChordCallback(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Line, error) { return line, nil })
	callback := f.register(t, func(lines ...Line) ([]Line, error) { return lines, nil })
	g, err := tasks.NewGroup(f.signature(t, member, Line{SKU: "a"}), f.signature(t, member, Line{SKU: "b"}))
	require.NoError(t, err)
	own := f.signature(t, callback, Line{SKU: "own"})
	own.Immutable = true
	c, err := tasks.NewChord(g, own)
	require.NoError(t, err)
	res, err := f.producer.SendChord(t.Context(), c, f.sendConcurrency())
	require.NoError(t, err)
	assert.Equal(t, []Line{{SKU: "own"}}, mustAwait[[]Line](t, f, res))
}
