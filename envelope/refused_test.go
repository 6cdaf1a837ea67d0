package envelope_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type refusedCard string

func TestARegistryThatHasRefusedATypeWritesAndReadsNothing(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	refused := envelope.Register[refusedCard](r, "bank.Card", envelope.Encrypted())
	requireInvalid(t, refused, "envelope_test.refusedCard: Encrypted, but the registry has no key")

	assert.ErrorContains(t, r.Check(), refused.Error())
	for name, call := range map[string]func() error{
		"Err": r.Err,
		"Marshal": func() error {
			_, err := r.Marshal(t.Context(), []refusedCard{"4711"})
			return err
		},
		"Unmarshal": func() error {
			var cards []string
			return r.Unmarshal(t.Context(), `{"$envelope":1,"type":"[]string","data":[]}`, &cards)
		},
	} {
		err := call()
		require.ErrorIs(t, err, envelope.ErrRegistration, name)
		assert.EqualError(t, err, "envelope.Register has refused "+refused.Error(), name)
	}

	require.NoError(t, envelope.Register[refusedCard](r, "bank.Card"))
	require.NoError(t, r.Check())
	assert.Equal(t, []refusedCard{"4711"}, roundTrip(t, r, []refusedCard{"4711"}))
}

func TestARefusalOfATypeThatIsKnownChangesNothing(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	require.Error(t, envelope.Register[shopLine](r, "shop.Other"))
	require.Error(t, envelope.Register[time.Duration](r, "shop.Duration"))
	require.Error(t, envelope.RegisterInterface[any](r, "shop.Any"))
	require.NoError(t, r.Err())
	require.NoError(t, r.Check())
}

// holder holds a type that is only read, and is registered already: another call for it would be one too many.
type holder struct{ Charge charge }

func TestAdviceCuresWhenItIsPasted(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[holder](r, "shop.Holder"))
	require.NoError(t, envelope.Register[event](r, "shop.Event"))
	err := r.Check()
	require.ErrorContains(t, err, `call envelope.MustRegister[envelope_test.charge](registry, "envelope_test.charge", envelope.AsJSON())`)
	require.ErrorContains(t, err, `call envelope.MustRegister[envelope_test.object](registry, "envelope_test.object", envelope.AsJSON())`)
	require.NoError(t, envelope.Register[charge](r, "envelope_test.charge", envelope.AsJSON()))
	require.NoError(t, envelope.Register[object](r, "envelope_test.object", envelope.AsJSON()))
	require.NoError(t, r.Check())

	up := func(_ context.Context, old shopLine) (versioned, error) { return versioned{SKU: old.SKU}, nil }
	versions := envelope.NewRegistry()
	require.NoError(t, envelope.Register[versioned](versions, "shop.Versioned", envelope.Version(2)))
	require.ErrorContains(t, versions.Check(),
		`call envelope.MustRegister[envelope_test.versioned](registry, "shop.Versioned", envelope.Version(2), envelope.Upgrade(1, up))`)
	pasted := envelope.NewRegistry()
	require.NoError(t, envelope.Register[versioned](pasted, "shop.Versioned", envelope.Version(2), envelope.Upgrade(1, up)))
	require.NoError(t, pasted.Check())
}

type versioned struct{ SKU string }

func TestEveryRefusalNamesItsCure(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	versions := envelope.NewRegistry()
	require.NoError(t, envelope.Register[versioned](versions, "shop.Versioned", envelope.Version(2)))
	read := func(r *envelope.Registry, text string, target any) error {
		return r.Unmarshal(t.Context(), text, target)
	}
	for cure, err := range map[string]error{
		`envelope.MustRegister[T](registry, "shop.Nothing")`: read(r, opened("shop.Nothing", "1"), new(any)),
		`envelope.MustRegister[envelope_test.versioned](registry, "shop.Versioned", envelope.Version(3))`: read(versions,
			`{"$envelope":1,"type":"shop.Versioned","version":3,"data":{}}`, new(versioned)),
		`envelope.Version(2), envelope.Upgrade(1, up))`: read(versions, opened("shop.Versioned", "{}"), new(versioned)),
		"send a value of that type":                     read(r, opened("shop.Order", "{}"), new(shopLine)),
		"receive a *int":                                read(r, opened("any", "null"), new(int)),
		"receive a *envelope_test.shopOrder":            read(r, opened("*shop.Order", "null"), new(shopOrder)),
		"pass `&value`":                                 read(r, opened("int", "1"), nil),
		"`go get github.com/machinery-envelope/machinery-envelope@latest`": read(r, `{"$envelope":2,"type":"int","data":1}`, new(int)),
		"register envelope_test.shopLine":                                  envelope.Register[[]shopLine](r, "shop.Lines"),
		"`type T []int`":                                                   envelope.Register[[]int](r, "shop.Ints"),
	} {
		assert.ErrorContains(t, err, cure)
	}
}
