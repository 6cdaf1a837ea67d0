package wirelock_test

import (
	"context"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
)

// Types of the catalogue that travel in ways of their own.
type (
	money      struct{ Cents int64 }
	packing    interface{ Pack() }
	crate      struct{ Kilos int64 }
	bag        struct{ Litres int64 }
	plainCrate struct{ Kilos int64 }
	byPointer  struct{ Kilos int64 }
	parcel     struct{ Inside packing }
	parcelOf   struct{ Inside crate }
	basket     struct{ Lines []line }
	textBasket struct{ Lines []lineWithText }
)

func (crate) Pack()      {}
func (bag) Pack()        {}
func (*byPointer) Pack() {}

func toCents(_ context.Context, m money) (int64, error)   { return m.Cents, nil }
func fromCents(_ context.Context, n int64) (money, error) { return money{n}, nil }
func toText(_ context.Context, m money) (string, error) {
	return strconv.FormatInt(m.Cents, 10) + " cents", nil
}
func fromText(_ context.Context, s string) (money, error) {
	n, err := strconv.ParseInt(s[:max(len(s)-len(" cents"), 0)], 10, 64)
	return money{n}, err
}
func toBody(_ context.Context, m money) (moneyBody, error)   { return moneyBody(m), nil }
func fromBody(_ context.Context, b moneyBody) (money, error) { return money(b), nil }

type moneyBody struct{ Cents int64 }

var (
	cents  = envelope.Convert(toCents, fromCents)
	asText = envelope.Convert(toText, fromText)
	asBody = envelope.Convert(toBody, fromBody)
	cbor   = envelope.UseCodec(cborcodec.Codec{})
)

var (
	order = withQty{"o", 3}
	v2    = upgrading(of(list(withQuantity{"o", 3}), envelope.Version(2), upgrade(1, quantity)), quantity)
)

func quantity(old withQty) withQuantity            { return withQuantity{old.ID, old.Qty} }
func count(old withCount32) withQty                { return withQty{old.ID, int64(old.Count)} }
func countAsQuantity(old withCount32) withQuantity { return quantity(count(old)) }
func lineAsText(old line) lineWithText {
	return lineWithText{old.SKU, strconv.FormatInt(old.Qty, 10)}
}

// parcels sends parcels that hold packings of registered types.
func parcels(inside []packing, register ...func(*envelope.Registry)) generation {
	var all []parcel
	for _, one := range inside {
		all = append(all, parcel{one})
	}
	return of(all).with(append([]func(*envelope.Registry){registersInterface[packing]("orders.Packing")}, register...)...)
}

// anything has a task that takes a value of any type.
func anything(values ...any) generation {
	g := takes[func(any) error]()
	for _, v := range values {
		g.calls = append(g.calls, args(v))
	}
	return g
}

// renamed is a program whose type has another name.
func renamed(name string, opts ...envelope.TypeOption) generation {
	return takes[func(withQty) error](args(order)).with(registers[withQty](name, opts...))
}

var breakingTypes = []change{
	{name: "type renamed without an alias", old: of(list(order)), new: renamed("orders.Purchase")},
	{name: "type removed", old: anything(order).with(registers[withQty]("orders.Order")), new: anything("text")},
	{name: "version raised without an upgrade", old: of(list(order)), new: of(list(order), envelope.Version(2))},
	{name: "version lowered", old: v2, new: of(list(withQuantity{"o", 3}))},
	{name: "upgrade from another shape", old: of(list(order)),
		new: of(list(withQuantity{"o", 3}), envelope.Version(2), upgrade(1, func(old withTextQty) withQuantity { return withQuantity{ID: old.ID} }))},
	{name: "upgrade with a gap", old: of(list(order)), new: of(list(order), envelope.Version(3), upgrade(2, func(old withQty) withQty { return old }))},
	{name: "upgrade dropped", before: pointer(of(list(order))), old: v2, new: of(list(withQuantity{"o", 3}), envelope.Version(2))},
	{name: "alias dropped", before: pointer(renamed("old.Order")), old: renamed("orders.Order", envelope.Alias("old.Order")), new: renamed("orders.Order")},
	{name: "codec changed without the old one", old: of(list(order), cbor), new: of(list(order))},
	{name: "codec changed inside others", old: of(list(box[line]{"o", line{"s", 1}})).with(registers[line]("orders.Line")),
		new: of(list(box[line]{"o", line{"s", 1}})).with(registers[line]("orders.Line", cbor))},
	{name: "codec to read dropped", before: pointer(of(list(order), cbor)), old: of(list(order), envelope.ReadCodec(cborcodec.Codec{})), new: of(list(order))},
	{name: "field retyped under a codec", old: of(list(withQty{"o", 3}), cbor), new: of(list(withTextQty{"o", "3"}), cbor)},
	{name: "type closed to messages", old: anything(order).with(registers[withQty]("orders.Order")),
		new: anything("text").with(registers[withQty]("orders.Order", envelope.StaticOnly()))},
	{name: "type no longer implements the interface", old: parcels(list[packing](crate{5}), registers[crate]("orders.Crate")),
		new: parcels(list[packing](nil), registers[plainCrate]("orders.Crate"))},
	{name: "implementer removed", old: parcels(list[packing](crate{5}, bag{5}), registers[crate]("orders.Crate"), registers[bag]("orders.Bag")),
		new: parcels(list[packing](crate{5}), registers[crate]("orders.Crate"))},
	{name: "pointer implements instead of the value", old: parcels(list[packing](crate{5}), registers[crate]("orders.Crate")),
		new: parcels(list[packing](&byPointer{5}), registers[byPointer]("orders.Crate"))},
	{name: "interface to one type", old: parcels(list[packing](crate{5}), registers[crate]("orders.Crate")),
		new: of(list(parcelOf{crate{5}})).with(registers[crate]("orders.Crate"))},
	{name: "type to interface", old: of(list(parcelOf{crate{5}})).with(registers[crate]("orders.Crate")),
		new: parcels(list[packing](crate{5}), registers[crate]("orders.Crate"))},
	{name: "converter to another type", old: field(money{5}).with(registers[money]("orders.Money", cents)),
		new: field(money{5}).with(registers[money]("orders.Money", asText))},
	{name: "converter added", old: field(money{5}).with(registers[money]("orders.Money")),
		new: field(money{5}).with(registers[money]("orders.Money", cents))},
	{name: "converter removed", old: field(money{5}).with(registers[money]("orders.Money", cents)),
		new: field(money{5}).with(registers[money]("orders.Money"))},
	{name: "version of a held type raised, not of its holder", old: of(list(basket{list(line{"s", 1})})).with(registers[line]("orders.Line")),
		new: of(list(textBasket{list(lineWithText{"s", "1"})})).with(registers[lineWithText]("orders.Line", envelope.Version(2), upgrade(1, lineAsText)))},
}

var orderedTypes = []change{
	{name: "type renamed with an alias", old: of(list(order)), new: renamed("orders.Purchase", envelope.Alias("orders.Order"))},
	{name: "version raised with its upgrade", old: of(list(order)), new: v2},
	{name: "version raised twice with both upgrades", old: of(list(withCount32{"o", 3})),
		new: upgrading(of(list(withQuantity{"o", 3}), envelope.Version(3), upgrade(1, count), upgrade(2, quantity)), countAsQuantity)},
	{name: "converter with an upgrade", old: of(list(money{5})), new: of(list(money{5}), cents, envelope.Version(2),
		upgrade(1, func(old moneyBody) money { return money(old) }))},
	{name: "held type changed, versions of both raised", old: of(list(basket{list(line{"s", 1})})).with(registers[line]("orders.Line")),
		new: upgrading(of(list(textBasket{list(lineWithText{"s", "1"})}), envelope.Version(2), upgrade(1, upgradedBasket)), upgradedBasket).
			with(registers[lineWithText]("orders.Line", envelope.Version(2), upgrade(1, lineAsText)))},
	{name: "codec added", old: of(list(order)), new: of(list(order), cbor)},
	{name: "type opened to messages", old: anything("text").with(registers[withQty]("orders.Order", envelope.StaticOnly())),
		new: anything("text", order).with(registers[withQty]("orders.Order"))},
	{name: "implementer added", old: parcels(list[packing](crate{5}), registers[crate]("orders.Crate")),
		new: parcels(list[packing](crate{5}, bag{5}), registers[crate]("orders.Crate"), registers[bag]("orders.Bag"))},
}

func upgradedBasket(old basket) textBasket {
	var lines []lineWithText
	for _, l := range old.Lines {
		lines = append(lines, lineAsText(l))
	}
	return textBasket{lines}
}

type purchase struct {
	ID  string `json:"id"`
	Qty int64  `json:"qty"`
}

var compatibleTypes = []change{
	{name: "Go type renamed, wire name kept", old: of(list(order)), new: of(list(purchase{"o", 3}))},
	{name: "alias added", old: of(list(order)), new: of(list(order), envelope.Alias("old.Order"))},
	{name: "codec to read added", old: of(list(order)), new: of(list(order), envelope.ReadCodec(cborcodec.Codec{}))},
	{name: "codec to JSON with the old one to read", old: of(list(order), cbor), new: of(list(order), envelope.ReadCodec(cborcodec.Codec{}))},
	{name: "type marked as secret", old: of(list(order)), new: of(list(order), envelope.Secret())},
	{name: "type verified on sending", old: of(list(order)), new: of(list(order), envelope.Verified())},
	{name: "type added", old: of(list(order)), new: of(list(order)).with(registers[line]("orders.Line"))},
	{name: "interface added", old: of(list(order)), new: of(list(order)).with(registersInterface[packing]("orders.Packing"))},
	{name: "held type registered", old: field(line{"s", 1}), new: field(line{"s", 1}).with(registers[line]("orders.Line"))},
	{name: "held text registered", old: field(status("a")), new: field(status("a")).with(registers[status]("orders.Status"))},
	{name: "converter to the same shape", old: field(money{5}).with(registers[money]("orders.Money")),
		new: field(money{5}).with(registers[money]("orders.Money", asBody))},
}
