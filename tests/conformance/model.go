package conformance

import (
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Line is an item of an Order.
type Line struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

// Customer is who orders.
type Customer struct {
	Name  string   `json:"name"`
	Email string   `json:"email,omitempty"`
	Tags  []string `json:"tags"`
}

// Order is what most tasks take.
type Order struct {
	ID       string            `json:"id"`
	Placed   time.Time         `json:"placed"`
	Lines    []Line            `json:"lines"`
	Customer *Customer         `json:"customer"`
	Notes    map[string]string `json:"notes"`
	Extra    any               `json:"extra"`
}

// Receipt is what most tasks return.
type Receipt struct {
	OrderID string  `json:"order_id"`
	Total   float64 `json:"total"`
	Count   int64   `json:"count"`
}

// Shape is a registered interface.
type Shape interface{ Area() float64 }

// Circle is a registered implementation of Shape.
type Circle struct{ Radius float64 }

// Area makes it a Shape.
func (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }

// Square is one whose pointer implements Shape.
type Square struct{ Side float64 }

// Area makes it a Shape.
func (s *Square) Area() float64 { return s.Side * s.Side }

// Unregistered is a type that no registry has.
type Unregistered struct{ Secret string }

// OutOfStock is an error that keeps its type on the way.
type OutOfStock struct{ SKU string }

// Error makes it an error.
func (o *OutOfStock) Error() string { return "out of " + o.SKU }

// Card is a base type that is registered, and that nobody may read.
type Card string

// Edge is a base type that is registered and implements a registered interface.
type Edge float64

// Area makes it a Shape.
func (e Edge) Area() float64 { return float64(e * e) }

// Declined is another error that keeps its type on the way. What was wrong travels only if its type is registered.
type Declined struct {
	Card  Card  `json:"card"`
	Cause error `json:"cause"`
}

// Error makes it an error.
func (d Declined) Error() string { return "card declined" }

// Level is a named base type that is not registered.
type Level int

func registry() *envelope.Registry {
	r := envelope.NewRegistry(envelope.EncryptMarked(cipher))
	envelope.MustRegister[Card](r, "shop.Card", envelope.Encrypted())
	envelope.MustRegister[Edge](r, "shapes.Edge")
	envelope.MustRegister[Declined](r, "shop.Declined")
	envelope.MustRegister[Line](r, "shop.Line")
	envelope.MustRegister[Customer](r, "shop.Customer")
	envelope.MustRegister[Order](r, "shop.Order")
	envelope.MustRegister[Receipt](r, "shop.Receipt")
	envelope.MustRegister[OutOfStock](r, "shop.OutOfStock")
	envelope.MustRegister[Circle](r, "shapes.Circle")
	envelope.MustRegister[Square](r, "shapes.Square")
	if err := envelope.RegisterInterface[Shape](r, "shapes.Shape"); err != nil {
		panic(err)
	}
	if err := envelope.RegisterInterface[error](r, "error"); err != nil {
		panic(err)
	}
	return r
}

// cipher is what producer and worker share.
var cipher = newCipher()

func newCipher() envelope.AEAD {
	key, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := aead.New(key)
	if err != nil {
		panic(err)
	}
	return primitive
}

func order() Order {
	return Order{
		ID:     "o-1",
		Placed: time.Date(2026, 3, 29, 1, 30, 0, 123456789, time.FixedZone("", 2*60*60)),
		Lines: []Line{
			{SKU: "tea", Quantity: 3, Price: 4.5},
			{SKU: "<cups> & \"saucers\"\u2028", Quantity: 1, Price: 0.1},
		},
		Customer: &Customer{Name: "Zoë", Tags: []string{}},
		Notes:    map[string]string{"b": "2", "a": "1"},
		Extra:    Circle{Radius: 2},
	}
}

func receiptOf(o Order) Receipt {
	r := Receipt{OrderID: o.ID}
	for _, line := range o.Lines {
		r.Total += float64(line.Quantity) * line.Price
		r.Count += int64(line.Quantity)
	}
	return r
}
