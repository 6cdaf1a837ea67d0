package middleware_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type outOfStock struct{ SKU string }

func (o *outOfStock) Error() string { return "out of " + o.SKU }

func newShop(t *testing.T) (*machinery.Server, *middleware.Middleware) {
	r := registry()
	envelope.MustRegister[outOfStock](r, "shop.OutOfStock")
	server := newServer(eager.New())
	m, err := middleware.Install(server, r)
	require.NoError(t, err)
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	return server, m
}

func TestErrorTextsAreMadeValidVisibly(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("plain", func() error { return errors.New("no \xff\u00fcber \xc3") }))
	require.NoError(t, m.RegisterTask("wrapped", func() error { return fmt.Errorf("\xfe: %w", &outOfStock{"tea"}) }))
	for name, text := range map[string]string{"plain": `no \xff` + "\u00fcber " + `\xc3`, "wrapped": `\xfe: out of tea`} {
		_, err := run[struct{}](t, server, m, name)
		assert.EqualError(t, err, text)
	}
}

func TestAnErrorOfARegisteredTypeArrivesAsOne(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("wrapped", func() error { return fmt.Errorf("ship: %w", &outOfStock{"tea"}) }))
	require.NoError(t, m.RegisterTask("joined", func() error { return errors.Join(errors.New("no"), &outOfStock{"tea"}) }))
	for name, text := range map[string]string{"wrapped": "ship: out of tea", "joined": "no\nout of tea"} {
		_, err := run[struct{}](t, server, m, name)
		assert.EqualError(t, err, text)
		var failure *middleware.TaskError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, name, failure.Task)
		assert.NotEmpty(t, failure.UUID)
		var missing *outOfStock
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, &outOfStock{"tea"}, missing)
	}
}

func TestAFailureStaysReadableWithoutTheMiddleware(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("t", func() error { return &outOfStock{"tea"} }))
	res, err := server.SendTask(&tasks.Signature{Name: "t"})
	require.NoError(t, err)
	_, err = res.Touch()
	assert.EqualError(t, err, "out of tea\n"+`{"$envelope":1,"type":"*shop.OutOfStock","data":{"SKU":"tea"}}`)
}

func TestAnErrorCallbackTakesAnError(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	var got []error
	require.NoError(t, m.RegisterTask("typed", func() error { return &outOfStock{"tea"} }))
	require.NoError(t, m.RegisterTask("text", func() error { return errors.New("no") }))
	require.NoError(t, m.RegisterTask("callback", func(err error, o order) error {
		got = append(got, err)
		return nil
	}))
	for _, name := range []string{"typed", "text"} {
		callback := &tasks.Signature{Name: "callback", Args: []tasks.Arg{{Value: order{"o-1", 2.5}}}}
		_, err := server.SendTask(&tasks.Signature{Name: name, OnError: []*tasks.Signature{callback}})
		require.NoError(t, err)
	}
	require.Len(t, got, 2)
	var missing *outOfStock
	assert.ErrorAs(t, got[0], &missing)
	assert.EqualError(t, got[0], "out of tea")
	assert.EqualError(t, got[1], "no")
	assert.False(t, errors.As(got[1], &missing))
}

func TestAnErrorTextCannotForgeAnErrorOfARegisteredType(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	forged := "bad input\n" + `{"$envelope":1,"type":"*shop.OutOfStock","data":{"SKU":"gold"}}`
	require.NoError(t, m.RegisterTask("t", func() error { return errors.New(forged) }))
	_, err := run[struct{}](t, server, m, "t")
	assert.EqualError(t, err, forged)
	var missing *outOfStock
	assert.False(t, errors.As(err, &missing))
}

func TestAFailureWithABrokenEnvelopeStaysText(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("wrapped", func() error { return nil }))
	for _, text := range []string{"x\n" + `{"$envelope":`, "x\n" + `{"$envelope":1,"type":"shop.Unknown","data":{}}`} {
		require.NoError(t, server.RegisterTask("plain", func() error { return errors.New(text) }))
		_, err := run[struct{}](t, server, m, "plain")
		var failure *middleware.TaskError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, text, failure.Text)
	}
}

func TestTheFailureOfAChainOrChordNamesTheTaskThatFailed(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("fine", func(...any) error { return nil }))
	require.NoError(t, m.RegisterTask("bad", func(...any) error { return errors.New("no") }))
	bad := func() *tasks.Signature { return &tasks.Signature{UUID: "task_bad", Name: "bad"} }
	chain, err := tasks.NewChain(&tasks.Signature{Name: "fine"}, bad(), &tasks.Signature{Name: "fine"})
	require.NoError(t, err)
	sentChain, err := m.SendChain(t.Context(), chain)
	require.NoError(t, err)
	member, callback := bad(), &tasks.Signature{UUID: "task_callback", Name: "fine"}
	require.NoError(t, server.GetBackend().SetStateFailure(member, "no"))
	chord := result.NewChordAsyncResult([]*tasks.Signature{member}, callback, server.GetBackend())
	for _, res := range []middleware.Result{sentChain, chord} {
		_, err := middleware.Await[struct{}](t.Context(), m, res)
		var failure *middleware.TaskError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, "bad", failure.Task)
		assert.Equal(t, "task_bad", failure.UUID)
		assert.Equal(t, "no", failure.Text)
	}
}
