package conformance_test

import (
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type Line struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

type Customer struct {
	Name  string   `json:"name"`
	Email string   `json:"email,omitempty"`
	Tags  []string `json:"tags"`
}

type Order struct {
	ID       string            `json:"id"`
	Placed   time.Time         `json:"placed"`
	Lines    []Line            `json:"lines"`
	Customer *Customer         `json:"customer"`
	Notes    map[string]string `json:"notes"`
	Extra    any               `json:"extra"`
}

type Receipt struct {
	OrderID string  `json:"order_id"`
	Total   float64 `json:"total"`
	Count   int64   `json:"count"`
}

type Shape interface{ Area() float64 }

type Circle struct{ Radius float64 }

func (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }

type Square struct{ Side float64 }

func (s *Square) Area() float64 { return s.Side * s.Side }

type Unregistered struct{ Secret string }

// OutOfStock is an error that keeps its type on the way.
type OutOfStock struct{ SKU string }

func (o *OutOfStock) Error() string { return "out of " + o.SKU }

// Level is a named base type that is not registered.
type Level int

func registry() *envelope.Registry {
	r := envelope.NewRegistry()
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
	return r
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
