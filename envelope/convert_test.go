package envelope_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestConvertersApplyWhereverTheTypeStands(t *testing.T) {
	type cart struct {
		Total  shopPrice
		At     *shopPrice
		List   []shopPrice
		Array  [1]shopPrice
		Map    map[string]shopPrice
		ByCost map[shopPrice]string
		Any    any
	}
	r := newShop(t)
	require.NoError(t, envelope.Register[cart](r, "test.Cart"))
	require.NoError(t, r.Check())
	five := shopPrice{cents: 5}
	sent := cart{
		Total: five, At: &five, List: []shopPrice{five, {}}, Array: [1]shopPrice{five}, Map: map[string]shopPrice{"a": five},
		ByCost: map[shopPrice]string{five: "five"}, Any: five,
	}
	text := marshal(t, r, sent)
	assert.Equal(t, opened("test.Cart", `{"Total":5,"At":5,"List":[5,0],"Array":[5],"Map":{"a":5},"ByCost":{"5":"five"},`+
		`"Any":{"$envelope":1,"type":"shop.Price","data":5}}`), text)
	assert.Equal(t, sent, receives[cart](t, r, text))
	assert.Equal(t, any(&five), roundTripAny(t, r, &five))
	assert.Equal(t, any((*shopPrice)(nil)), roundTripAny(t, r, (*shopPrice)(nil)))
}

// Priced embeds a type with a converter, which keeps it from spreading its fields.
type Priced struct {
	Amount int64
	hidden bool
}

func TestEmbeddedTypesWithConvertersTravelAsOneField(t *testing.T) {
	type item struct {
		Priced
		Name string
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[item](r, "test.Item"))
	require.NoError(t, envelope.Register[Priced](r, "test.Priced", envelope.Convert(
		func(_ context.Context, p Priced) (string, error) { return strconv.FormatInt(p.Amount, 10), nil },
		func(_ context.Context, s string) (Priced, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			return Priced{Amount: n, hidden: true}, err
		},
	)))
	text := marshal(t, r, item{Priced: Priced{Amount: 7, hidden: true}, Name: "n"})
	assert.Equal(t, opened("test.Item", `{"Priced":"7","Name":"n"}`), text)
	assert.Equal(t, item{Priced: Priced{Amount: 7, hidden: true}, Name: "n"}, receives[item](t, r, text))
}

func TestConvertersOfConvertedTypes(t *testing.T) {
	type wallet struct{ Contents *shopPrice }
	r := newShop(t)
	require.NoError(t, envelope.Register[wallet](r, "test.Wallet", envelope.Convert(
		func(_ context.Context, w wallet) (*shopPrice, error) { return w.Contents, nil },
		func(_ context.Context, p *shopPrice) (wallet, error) { return wallet{Contents: p}, nil },
	)))
	assert.Equal(t, wallet{}, roundTrip(t, r, wallet{}))
	assert.Equal(t, wallet{&shopPrice{3}}, roundTrip(t, r, wallet{&shopPrice{3}}))
	assert.Equal(t, any([]wallet{{}, {&shopPrice{3}}}), roundTripAny(t, r, []wallet{{}, {&shopPrice{3}}}))
	requireRefused(t, r, &wallet{}, envelope.ErrUnsupported,
		"*test.Wallet: envelope_test.wallet is written as null, so that the pointer to it would arrive as nil")
}

func TestErrorsOfConvertersKeepTheirPathAndCause(t *testing.T) {
	type cart struct{ Prices []shopPrice }
	r := newShop(t)
	require.NoError(t, envelope.Register[cart](r, "test.Cart"))
	requireRefused(t, r, cart{Prices: []shopPrice{{}, {cents: -1}}}, errNegativePrice, "test.Cart.Prices[1]: price is negative")
	requireUnreadable[cart](t, r, opened("test.Cart", `{"Prices":[1,-1]}`), errNegativePrice, "test.Cart.Prices[1]: price is negative")
	requireUnreadable[cart](t, r, opened("test.Cart", `{"Prices":["x"]}`), envelope.ErrTypeMismatch,
		"test.Cart.Prices[0]: expected a number, found a string")
}

type tenantKey struct{}

func TestConvertersGetTheContext(t *testing.T) {
	type document struct{ Tenant, Name string }
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[document](r, "test.Document", envelope.Convert(
		func(ctx context.Context, d document) (string, error) { return d.Name, ctx.Err() },
		func(ctx context.Context, name string) (document, error) {
			return document{Tenant: ctx.Value(tenantKey{}).(string), Name: name}, ctx.Err()
		},
	)))
	ctx := context.WithValue(context.Background(), tenantKey{}, "acme")
	text, err := r.Marshal(ctx, []any{document{Name: "d"}})
	require.NoError(t, err)
	arrived, err := r.UnmarshalAny(ctx, text)
	require.NoError(t, err)
	assert.Equal(t, []any{document{Tenant: "acme", Name: "d"}}, arrived)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Marshal(cancelled, document{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.UnmarshalAny(cancelled, text)
	require.ErrorIs(t, err, context.Canceled)
}

func TestConvertersHaveToBeForTheTypeBeingRegistered(t *testing.T) {
	conversion := envelope.Convert(priceToCents, priceFromCents)
	requireInvalid(t, registers[shopLine](conversion), "envelope_test.shopLine: Convert is for envelope_test.shopPrice")
	requireInvalid(t, registers[shopPrice](conversion, conversion), "Convert is given twice")
}

func TestConvertersThatLeadBackAreRefused(t *testing.T) {
	type node struct{ A int }
	requireUnsupported(t, registers[node](envelope.Convert(
		func(_ context.Context, n node) (*node, error) { return &n, nil },
		func(_ context.Context, n *node) (node, error) { return *n, nil },
	)), "test.Subject: envelope_test.node leads back to itself")
}
