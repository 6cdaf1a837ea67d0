package conformance

import (
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// sendingCases send through the middleware's own methods and through Machinery's, with any send concurrency.
var sendingCases = []testCase{
	{name: "the middleware sends tasks", run: sendTask},
	{name: "the middleware sends chains", run: sendChain},
	{name: "the middleware sends groups", run: sendGroup},
	{name: "the middleware sends chords", run: sendChord},
	{name: "the middleware sends many tasks at once", run: sendTasks},
	{name: "of many tasks none is sent if one is refused", run: sendTasksRefused},
	{name: "a group is sent all at once", run: groupAtOnce},
	{name: "a chord is sent all at once", run: chordAtOnce},
}

func sendTask(t *testing.T, f *fixture) {
	name := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	res, err := f.producer.SendTask(t.Context(), &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: order()}}})
	require.NoError(t, err)
	assert.Equal(t, receiptOf(order()), mustAwait[Receipt](t, f, res))
}

func sendChain(t *testing.T, f *fixture) {
	first := f.register(t, func(o Order) (Receipt, []Line, error) { return receiptOf(o), o.Lines, nil })
	second := f.register(t, func(r Receipt, lines []Line) (Order, error) {
		return Order{ID: r.OrderID, Lines: lines, Extra: r}, nil
	})
	chain, err := tasks.NewChain(&tasks.Signature{Name: first, Args: []tasks.Arg{{Value: order()}}}, f.signature(t, second))
	require.NoError(t, err)
	res, err := f.producer.SendChain(t.Context(), chain)
	require.NoError(t, err)
	want := Order{ID: "o-1", Lines: order().Lines, Extra: receiptOf(order())}
	assert.Equal(t, want, mustAwait[Order](t, f, res))
}

func sendTasks(t *testing.T, f *fixture) {
	price := f.register(t, func(o Order) (Receipt, error) { return receiptOf(o), nil })
	double := f.register(t, func(line Line, factor int) (Line, error) {
		line.Quantity *= factor
		return line, nil
	})
	var sent []*tasks.Signature
	for i := range 4 {
		sent = append(sent,
			&tasks.Signature{Name: price, Args: []tasks.Arg{{Value: Order{ID: fmt.Sprint(i)}}}},
			f.signature(t, double, Line{SKU: "tea", Quantity: i}, 2))
	}
	results, err := f.producer.SendTasks(t.Context(), sent...)
	require.NoError(t, err)
	require.Len(t, results, len(sent))
	for i := range 4 {
		assert.Equal(t, receiptOf(Order{ID: fmt.Sprint(i)}), mustAwait[Receipt](t, f, results[2*i]))
		assert.Equal(t, Line{SKU: "tea", Quantity: 2 * i}, mustAwait[Line](t, f, results[2*i+1]))
	}
}

func sendTasksRefused(t *testing.T, f *fixture) {
	started := make(chan string, 2)
	name := f.register(t, func(o Order) error {
		started <- o.ID
		return nil
	})
	of := func(value any) *tasks.Signature {
		return &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: value}}}
	}
	_, err := f.producer.SendTasks(t.Context(), of(Order{ID: "beside"}), of(Unregistered{}))
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	var failure *middleware.SendError
	require.ErrorAs(t, err, &failure)
	assert.Zero(t, failure.Sent)
	assert.Equal(t, 1, failure.Failed[0].Index)
	results, err := f.producer.SendTasks(t.Context(), of(Order{ID: "later"}))
	require.NoError(t, err)
	mustAwait[struct{}](t, f, results[0])
	assert.Equal(t, "later", receive(t, started))
}

func sendGroup(t *testing.T, f *fixture) {
	f.groupArrives(t, func(g *tasks.Group) ([]*result.AsyncResult, error) {
		return f.producer.SendGroup(t.Context(), g, f.sendConcurrency())
	})
}

func groupAtOnce(t *testing.T, f *fixture) {
	f.groupArrives(t, func(g *tasks.Group) ([]*result.AsyncResult, error) { return f.server.SendGroup(g, 0) })
	f.groupArrives(t, func(g *tasks.Group) ([]*result.AsyncResult, error) { return f.producer.SendGroup(t.Context(), g, 0) })
}

// groupArrives sends a group of sealed and of raw members.
func (f *fixture) groupArrives(t *testing.T, send func(*tasks.Group) ([]*result.AsyncResult, error)) {
	name := f.register(t, func(line Line, factor int) (Line, error) {
		line.Quantity *= factor
		return line, nil
	})
	var members []*tasks.Signature
	for i := range 4 {
		raw := []tasks.Arg{{Value: Line{SKU: "raw", Quantity: i}}, {Value: 2}}
		members = append(members, &tasks.Signature{Name: name, Args: raw}, f.signature(t, name, Line{Quantity: i}, 3))
	}
	g, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	results, err := send(g)
	require.NoError(t, err)
	require.Len(t, results, 8)
	for i := range 4 {
		assert.Equal(t, Line{SKU: "raw", Quantity: 2 * i}, mustAwait[Line](t, f, results[2*i]))
		assert.Equal(t, Line{Quantity: 3 * i}, mustAwait[Line](t, f, results[2*i+1]))
	}
}

func sendChord(t *testing.T, f *fixture) { f.chordArrives(t, f.sendConcurrency()) }

func chordAtOnce(t *testing.T, f *fixture) { f.chordArrives(t, 0) }

func (f *fixture) chordArrives(t *testing.T, concurrency int) {
	member := f.register(t, func(line Line) (*Line, error) { return &line, nil })
	callback := f.register(t, func(title string, lines ...*Line) (Receipt, error) {
		r := Receipt{OrderID: title}
		for _, line := range lines {
			r.Count += int64(line.Quantity)
		}
		return r, nil
	})
	g, err := tasks.NewGroup(
		f.signature(t, member, Line{Quantity: 1}),
		&tasks.Signature{Name: member, Args: []tasks.Arg{{Value: Line{Quantity: 10}}}},
		f.signature(t, member, Line{Quantity: 100}),
	)
	require.NoError(t, err)
	c, err := tasks.NewChord(g, f.signature(t, callback, "sum"))
	require.NoError(t, err)
	res, err := f.producer.SendChord(t.Context(), c, concurrency)
	require.NoError(t, err)
	assert.Equal(t, Receipt{OrderID: "sum", Count: 111}, mustAwait[Receipt](t, f, res))
}
