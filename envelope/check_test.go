package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestCheckReportsEverythingAtOnce(t *testing.T) {
	type account struct{ balance int }
	type customer struct {
		Account account
		Notify  func()
	}
	type order struct {
		Buyer   customer
		Packing shopPacking
		Again   []customer
	}
	type old struct{ A int }
	type current struct{ B int }
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[order](r, "test.Order"))
	require.NoError(t, envelope.Register[current](r, "test.Current", envelope.Version(4),
		envelope.Upgrade(3, func(_ context.Context, o old) (current, error) { return current{B: o.A}, nil })))
	err := r.Check()
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.ErrorIs(t, err, envelope.ErrUnknownVersion)
	assert.EqualError(t, err, `test.Current: there is no Upgrade from version 1 to 2: call envelope.MustRegister[envelope_test.current](registry, "test.Current", envelope.Version(4), envelope.Upgrade(1, up))
test.Current: there is no Upgrade from version 2 to 3: call envelope.MustRegister[envelope_test.current](registry, "test.Current", envelope.Version(4), envelope.Upgrade(2, up))
test.Order.Buyer.Account: envelope_test.account has no exported fields, so that nothing of it would travel: call envelope.MustRegister[envelope_test.account](registry, "envelope_test.account", envelope.Convert(to, from))
test.Order.Buyer.Notify: func values cannot be carried: tag the field `+"`json:\"-\"`"+` to leave it out, or call envelope.MustRegister[envelope_test.customer](registry, "envelope_test.customer", envelope.Convert(to, from))
test.Order.Packing: interface envelope_test.shopPacking is not registered: call, in its own package, envelope.RegisterInterface[envelope_test.shopPacking](registry, "envelope_test.shopPacking")`)
	_ = account{}.balance
}

func TestCheckLooksAtOldVersions(t *testing.T) {
	type old struct{ Done chan int }
	type current struct{ B int }
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[current](r, "test.Current", envelope.Version(2),
		envelope.Upgrade(1, func(context.Context, old) (current, error) { return current{}, nil })))
	requireFault(t, r.Check(), "envelope_test.old.Done: chan values cannot be carried")
}

func TestCheckPassesWhenAllIsRegistered(t *testing.T) {
	require.NoError(t, envelope.NewRegistry().Check())
	require.NoError(t, newShop(t).Check())
}
