package envelope_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Three generations of a customer: one name, then two, then with a currency from the context.
type (
	customerV1 struct{ Name string }
	customerV2 struct{ First, Last string }
	customer   struct{ First, Last, Currency string }
)

var errNameless = errors.New("customer has no name")

func splitName(_ context.Context, old customerV1) (customerV2, error) {
	if old.Name == "" {
		return customerV2{}, errNameless
	}
	first, last, _ := strings.Cut(old.Name, " ")
	return customerV2{First: first, Last: last}, nil
}

func addCurrency(ctx context.Context, old customerV2) (customer, error) {
	currency, _ := ctx.Value(tenantKey{}).(string)
	return customer{First: old.First, Last: old.Last, Currency: currency}, nil
}

func newCRM(t *testing.T) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[customer](r, "crm.Customer", envelope.Version(3), envelope.Alias("sales.Customer"),
		envelope.Upgrade(1, splitName), envelope.Upgrade(2, addCurrency)))
	require.NoError(t, r.Check())
	return r
}

func TestVersionIsLeftOutWhenOne(t *testing.T) {
	r := newCRM(t)
	assert.Equal(t, `{"$envelope":1,"type":"crm.Customer","version":3,"data":{"First":"","Last":"","Currency":""}}`,
		marshal(t, r, customer{}))
	assert.NotContains(t, marshal(t, newShop(t), shopLine{}), "version")
	assert.Contains(t, marshal(t, r, map[string][]*customer{}), `"type":"map[string][]*crm.Customer","version":3,`)
}

func TestOldMessagesClimbStepByStep(t *testing.T) {
	r := newCRM(t)
	ctx := context.WithValue(context.Background(), tenantKey{}, "EUR")
	want := customer{First: "Ada", Last: "Lovelace", Currency: "EUR"}
	for _, text := range []string{
		`{"$envelope":1,"type":"crm.Customer","data":{"Name":"Ada Lovelace"}}`,
		`{"$envelope":1,"type":"crm.Customer","version":1,"data":{"Name":"Ada Lovelace"}}`,
		`{"$envelope":1,"type":"crm.Customer","version":2,"data":{"First":"Ada","Last":"Lovelace"}}`,
		`{"$envelope":1,"type":"sales.Customer","version":2,"data":{"First":"Ada","Last":"Lovelace"}}`,
		`{"$envelope":1,"type":"crm.Customer","version":3,"data":{"First":"Ada","Last":"Lovelace","Currency":"EUR"}}`,
	} {
		for range 2 {
			var arrived customer
			require.NoError(t, r.Unmarshal(ctx, text, &arrived), text)
			assert.Equal(t, want, arrived)
			value, err := r.UnmarshalAny(ctx, text)
			require.NoError(t, err)
			assert.Equal(t, want, value)
		}
	}
}

func TestOldMessagesClimbInsideOthers(t *testing.T) {
	r := newCRM(t)
	want := customer{First: "Ada"}
	old := `{"Name":"Ada"}`
	assert.Equal(t, []any{want}, receives[any](t, r, opened("[]any", "["+opened("crm.Customer", old)+"]")))
	assert.Equal(t, []customer{want}, receives[[]customer](t, r, opened("[]crm.Customer", "["+old+"]")))
	assert.Equal(t, &want, receives[*customer](t, r, opened("crm.Customer", old)))
	assert.Equal(t, want, receives[customer](t, r, opened("*crm.Customer", old)))
	assert.Equal(t, map[string][1]*customer{"a": {&want}},
		receives[any](t, r, opened("map[string][1]*crm.Customer", `{"a":[`+old+`]}`)))
}

func TestUnknownVersionsAreRefused(t *testing.T) {
	r := newCRM(t)
	requireUnreadable[customer](t, r, `{"$envelope":1,"type":"crm.Customer","version":4,"data":{}}`, envelope.ErrUnknownVersion,
		"crm.Customer: version 4 of crm.Customer is newer than 3")
	requireUnreadable[any](t, r, `{"$envelope":1,"type":"[]crm.Customer","version":4,"data":[]}`, envelope.ErrUnknownVersion,
		"[]crm.Customer: version 4 of crm.Customer is newer than 3")
	requireUnreadable[int](t, r, `{"$envelope":1,"type":"int","version":2,"data":1}`, envelope.ErrUnknownVersion,
		"int: version 2 of int is not known here: built-in types have one version only")
	require.NoError(t, envelope.Register[shopLine](r, "shop.Line", envelope.Version(3),
		envelope.Upgrade(2, func(_ context.Context, old shopBox) (shopLine, error) { return shopLine{}, nil })))
	requireUnreadable[shopLine](t, r, opened("shop.Line", "{}"), envelope.ErrUnknownVersion,
		"shop.Line: version 1 of shop.Line has no Upgrade")
}

func TestErrorsOfUpgradesKeepTheirPathAndCause(t *testing.T) {
	r := newCRM(t)
	requireUnreadable[[]customer](t, r, opened("[]crm.Customer", `[{"Name":"a"},{}]`), errNameless,
		"[]crm.Customer[1]: customer has no name")
	requireUnreadable[customer](t, r, opened("crm.Customer", `{"Name":1}`), envelope.ErrTypeMismatch,
		"crm.Customer.Name: expected a string, found a number")
}

func TestUpgradesMayEndBeforeTheConverter(t *testing.T) {
	type cents struct{ Cents int64 }
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[shopPrice](r, "shop.Price", envelope.Version(2),
		envelope.Convert(
			func(_ context.Context, p shopPrice) (cents, error) { return cents{p.cents}, nil },
			func(_ context.Context, c cents) (shopPrice, error) { return shopPrice{c.Cents}, nil }),
		envelope.Upgrade(1, func(_ context.Context, euros int64) (cents, error) { return cents{100 * euros}, nil })))
	assert.Equal(t, shopPrice{500}, receives[shopPrice](t, r, opened("shop.Price", "5")))
	assert.Equal(t, shopPrice{5}, roundTrip(t, r, shopPrice{5}))
}

func TestLaddersHaveToLeadUp(t *testing.T) {
	requireInvalid(t, registers[customer](envelope.Version(0)), "Version(0): versions begin at 1")
	requireInvalid(t, registers[customer](envelope.Upgrade(2, addCurrency)), "Upgrade from version 2 does not lead to Version(1)")
	requireInvalid(t, registers[customer](envelope.Version(2), envelope.Upgrade(0, addCurrency)), "Upgrade from version 0 does not lead")
	requireInvalid(t, registers[customer](envelope.Version(2), envelope.Upgrade(1, splitName)),
		"Upgrade from version 1 makes envelope_test.customerV2 instead of envelope_test.customer")
	requireInvalid(t, registers[customer](envelope.Version(3), envelope.Upgrade(1, addCurrency), envelope.Upgrade(2, addCurrency)),
		"Upgrade from version 1 makes envelope_test.customer, but the next one takes envelope_test.customerV2")
	requireInvalid(t, registers[customer](envelope.Version(2), envelope.Upgrade(1, addCurrency), envelope.Upgrade(1, addCurrency)),
		"Upgrade from version 1 is given twice")
}

func TestAliasesAreReadButNotWritten(t *testing.T) {
	r := newCRM(t)
	assert.NotContains(t, marshal(t, r, customer{}), "sales")
	assert.Equal(t, []*customer{nil}, receives[any](t, r, `{"$envelope":1,"type":"[]*sales.Customer","version":3,"data":[null]}`))
	assert.Equal(t, []*customer{nil}, receives[[]*customer](t, r, `{"$envelope":1,"type":"[]*sales.Customer","version":3,"data":[null]}`))
}
