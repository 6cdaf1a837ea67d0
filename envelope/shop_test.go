package envelope_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types of an imagined shop, which the tests send around.
type (
	shopStatus string

	shopLine struct {
		SKU  string  `json:"sku"`
		Qty  int     `json:"qty"`
		Note *string `json:"note,omitempty"`
	}

	shopOrder struct {
		ID     string            `json:"id"`
		Lines  []shopLine        `json:"lines"`
		Placed time.Time         `json:"placed"`
		Labels map[string]string `json:"labels"`
		Status shopStatus        `json:"status"`
		Extra  any               `json:"extra"`
	}

	// shopPrice is what the tests convert: its fields would be dropped.
	shopPrice struct{ cents int64 }

	shopPacking interface{ Weight() float64 }
	shopBox     struct{ Kilos float64 }
	shopEnvelop struct{ Grams int }
	shopParcel  struct {
		Packing shopPacking
		Inside  []shopPacking
	}
)

func (b shopBox) Weight() float64      { return b.Kilos }
func (e *shopEnvelop) Weight() float64 { return float64(e.Grams) / 1000 }

var errNegativePrice = errors.New("price is negative")

func priceToCents(_ context.Context, p shopPrice) (int64, error) {
	if p.cents < 0 {
		return 0, errNegativePrice
	}
	return p.cents, nil
}

func priceFromCents(_ context.Context, cents int64) (shopPrice, error) {
	if cents < 0 {
		return shopPrice{}, errNegativePrice
	}
	return shopPrice{cents: cents}, nil
}

func newShop(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry(opts...)
	require.NoError(t, envelope.Register[shopOrder](r, "shop.Order"))
	require.NoError(t, envelope.Register[shopLine](r, "shop.Line"))
	require.NoError(t, envelope.Register[shopPrice](r, "shop.Price", envelope.Convert(priceToCents, priceFromCents)))
	require.NoError(t, envelope.Register[shopBox](r, "shop.Box"))
	require.NoError(t, envelope.Register[shopEnvelop](r, "shop.Envelop"))
	require.NoError(t, envelope.Register[shopParcel](r, "shop.Parcel"))
	require.NoError(t, envelope.RegisterInterface[shopPacking](r, "shop.Packing"))
	require.NoError(t, r.Check())
	return r
}

func marshal(t *testing.T, r *envelope.Registry, v any) string {
	t.Helper()
	text, err := r.Marshal(context.Background(), v)
	require.NoError(t, err)
	return text
}

// roundTrip sends v and returns what arrives for a receiver of its own type.
func roundTrip[T any](t *testing.T, r *envelope.Registry, v T) T {
	t.Helper()
	text := marshal(t, r, v)
	var arrived T
	require.NoError(t, r.Unmarshal(context.Background(), text, &arrived), text)
	return arrived
}

// roundTripAny sends v and returns what arrives where the envelope decides.
func roundTripAny(t *testing.T, r *envelope.Registry, v any) any {
	t.Helper()
	text := marshal(t, r, v)
	arrived, err := r.UnmarshalAny(context.Background(), text)
	require.NoError(t, err, text)
	return arrived
}

// requireFault checks that an error's text is the given one, up to the call that cures it.
func requireFault(t *testing.T, err error, text string) {
	t.Helper()
	require.Error(t, err)
	if err.Error() != text && !strings.HasPrefix(err.Error(), text+": ") && !strings.HasPrefix(err.Error(), text+", see ") {
		require.EqualError(t, err, text)
	}
}

// requireRefused checks kind and text of the error for sending v.
func requireRefused(t *testing.T, r *envelope.Registry, v any, kind error, text string) {
	t.Helper()
	_, err := r.Marshal(context.Background(), v)
	require.ErrorIs(t, err, kind)
	requireFault(t, err, text)
}

// requireUnreadable checks kind and text of the error for opening an envelope into a T. A cure may follow the text.
func requireUnreadable[T any](t *testing.T, r *envelope.Registry, envelopeText string, kind error, text string) {
	t.Helper()
	var target T
	err := r.Unmarshal(context.Background(), envelopeText, &target)
	require.ErrorIs(t, err, kind)
	requireFault(t, err, text)
	require.Zero(t, target, "a target is zero after an error")
}

func pointerTo[T any](v T) *T { return &v }
