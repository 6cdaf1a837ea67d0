package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var workflowCases = []testCase{
	{name: "a chain passes own types on", run: chainOfWrappedTasks},
	{name: "a chain goes through a plain task", run: chainThroughPlainTask},
	{name: "a group takes own types", run: group},
	{name: "a chord's callback takes the members' results", run: chord},
	{name: "a chord's callback takes the results in the order of the transport", run: chordOrder},
	{name: "a chord's callback needs no arguments of its own", run: chordOfResultsOnly},
	{name: "raw own types in nested signatures", run: rawNestedSignatures},
	{name: "callbacks get own types", run: callbacks},
}

func chainOfWrappedTasks(t *testing.T, f *fixture) {
	first := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	second := f.register(t, func(factor float64, r Receipt) (*Receipt, error) {
		r.Total *= factor
		return &r, nil
	})
	chain, err := tasks.NewChain(f.signature(t, first, order()), f.signature(t, second, 2.0))
	require.NoError(t, err)
	res, err := f.server.SendChainWithContext(t.Context(), chain)
	require.NoError(t, err)
	want := receiptOf(order())
	want.Total *= 2
	assert.Equal(t, want, mustAwait[Receipt](t, f, res))
}

func chainThroughPlainTask(t *testing.T, f *fixture) {
	count := f.register(t, func(o Order) (int64, error) { return int64(len(o.Lines)), nil })
	double := f.registerPlain(t, func(n int64) (int64, error) { return 2 * n, nil })
	report := f.register(t, func(n int64) (Receipt, error) { return Receipt{Count: n}, nil })
	chain, err := tasks.NewChain(f.signature(t, count, order()), &tasks.Signature{Name: double}, f.signature(t, report))
	require.NoError(t, err)
	res, err := f.server.SendChain(chain)
	require.NoError(t, err)
	assert.Equal(t, Receipt{Count: 4}, mustAwait[Receipt](t, f, res))
}

func group(t *testing.T, f *fixture) {
	name := f.register(t, func(line Line) (Line, error) {
		line.Quantity++
		return line, nil
	})
	var members []*tasks.Signature
	for i := range 5 {
		members = append(members, &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: Line{SKU: "s", Quantity: i}}}})
	}
	g, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	results, err := f.server.SendGroupWithContext(t.Context(), g, f.sendConcurrency())
	require.NoError(t, err)
	for i, res := range results {
		assert.Equal(t, Line{SKU: "s", Quantity: i + 1}, mustAwait[Line](t, f, res))
	}
}

// sendConcurrency is 1 in eager mode: Machinery's eager backend has no locks where it reads, and tasks run where they
// are sent.
func (f *fixture) sendConcurrency() int {
	if f.isEager() {
		return 1
	}
	return 3
}

func chord(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Receipt, error) {
		return Receipt{OrderID: line.SKU, Count: int64(line.Quantity)}, nil
	})
	callback := f.register(t, func(_ context.Context, title Line, receipts ...Receipt) ([]string, error) {
		ids := []string{title.SKU}
		for _, r := range receipts {
			ids = append(ids, r.OrderID)
		}
		slices.Sort(ids[1:])
		return ids, nil
	})
	g, err := tasks.NewGroup(
		f.signature(t, member, Line{SKU: "a"}),
		f.signature(t, member, Line{SKU: "b"}),
		&tasks.Signature{Name: member, Args: []tasks.Arg{{Value: Line{SKU: "c"}}}},
	)
	require.NoError(t, err)
	c, err := tasks.NewChord(g, &tasks.Signature{Name: callback, Args: []tasks.Arg{{Value: Line{SKU: "title"}}}})
	require.NoError(t, err)
	res, err := f.server.SendChordWithContext(t.Context(), c, f.sendConcurrency())
	require.NoError(t, err)
	assert.Equal(t, []string{"title", "a", "b", "c"}, mustAwait[[]string](t, f, res))
}

// chordOrder lets the members end in another order than that of the group.
func chordOrder(t *testing.T, shared *fixture) {
	f := newIdleFixture(t, shared.transport)
	processed := make(map[string]chan struct{}) // by UUID; closed when the worker has dealt with the task and its result
	var after map[string]string                 // each member waits for another
	worker := f.worker.NewWorker("chord", 4)
	worker.SetPostTaskHandler(func(s *tasks.Signature) {
		if ended, ok := processed[s.UUID]; ok {
			close(ended)
		}
	})
	member := f.register(t, func(ctx context.Context, line Line) (Line, error) {
		if before, ok := after[tasks.SignatureFromContext(ctx).UUID]; ok {
			<-processed[before]
		}
		return line, nil
	})
	collect := f.register(t, func(lines ...Line) ([]string, error) {
		var skus []string
		for _, line := range lines {
			skus = append(skus, line.SKU)
		}
		return skus, nil
	})
	var members []*tasks.Signature
	for _, sku := range []string{"a", "b", "c"} {
		members = append(members, f.signature(t, member, Line{SKU: sku}))
	}
	g, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	for _, m := range members {
		processed[m.UUID] = make(chan struct{})
	}
	after = map[string]string{members[0].UUID: members[2].UUID, members[1].UUID: members[0].UUID}
	c, err := tasks.NewChord(g, f.signature(t, collect))
	require.NoError(t, err)

	f.launch(t, f.workers, worker)
	res, err := f.producer.SendChord(t.Context(), c, 1)
	require.NoError(t, err)
	assert.Equal(t, shared.transport.ChordOrder, mustAwait[[]string](t, f, res))
}

func chordOfResultsOnly(t *testing.T, f *fixture) {
	member := f.register(t, func(line Line) (Line, error) { return line, nil })
	callback := f.register(t, func(lines ...Line) (Order, error) { return Order{Lines: lines[:1]}, nil })
	res := f.sendChord(t, callback, f.signature(t, member, Line{SKU: "a"}), f.signature(t, member, Line{SKU: "a"}))
	assert.Equal(t, Order{Lines: []Line{{SKU: "a"}}}, mustAwait[Order](t, f, res))
}

// sendChord sends a chord whose callback has no arguments of its own.
func (f *fixture) sendChord(t *testing.T, callback string, members ...*tasks.Signature) middleware.Result {
	g, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	c, err := tasks.NewChord(g, f.signature(t, callback))
	require.NoError(t, err)
	res, err := f.server.SendChord(c, f.sendConcurrency())
	require.NoError(t, err)
	return res
}

func rawNestedSignatures(t *testing.T, f *fixture) {
	first := f.register(t, func(Order) error { return nil })
	got := make(chan Line, 1)
	second := f.register(t, func(line Line) error {
		got <- line
		return nil
	})
	next := &tasks.Signature{Name: second, Immutable: true, Args: []tasks.Arg{{Value: Line{SKU: "raw"}}}}
	s := &tasks.Signature{Name: first, Args: []tasks.Arg{{Value: order()}}, OnSuccess: []*tasks.Signature{next}}
	f.send(t, s)
	assert.Equal(t, Line{SKU: "raw"}, receive(t, got))
	assert.Equal(t, []tasks.Arg{{Value: Line{SKU: "raw"}}}, next.Args, "the caller's nested signature keeps its arguments")
}

func callbacks(t *testing.T, f *fixture) {
	outcome := make(chan string, 1)
	succeed := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	fail := f.register(t, func(Receipt) error { return assert.AnError })
	onError := f.register(t, func(text string, l Line) error {
		outcome <- text + " " + l.SKU
		return nil
	})
	failing := f.signature(t, fail)
	failing.OnError = []*tasks.Signature{f.signature(t, onError, Line{SKU: "why"})}
	s := f.signature(t, succeed, order())
	s.OnSuccess = []*tasks.Signature{failing}
	f.send(t, s)
	assert.Equal(t, assert.AnError.Error()+" why", receive(t, outcome))
}
