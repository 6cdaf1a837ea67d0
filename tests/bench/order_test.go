package main

import (
	"fmt"
	"time"
)

// Order is what a shop would send: about 650 bytes of JSON when it has 5 lines.
type Order struct {
	ID       string            `json:"id"`
	Number   int64             `json:"number"`
	Customer *Customer         `json:"customer"`
	Placed   time.Time         `json:"placed"`
	Lines    []Line            `json:"lines"`
	Labels   map[string]string `json:"labels"`
	Discount float64           `json:"discount"`
	Paid     bool              `json:"paid"`
}

type Customer struct {
	ID    uint64 `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type Line struct {
	SKU      string  `json:"sku"`
	Title    string  `json:"title"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

func newOrder(lines int) Order {
	order := Order{
		ID:       "order-7f3c9a52",
		Number:   9007199254740993,
		Customer: &Customer{ID: 184467, Name: "Zoë Kähkönen", Email: "zoe@example.com"},
		Placed:   time.Date(2024, time.February, 29, 13, 37, 42, 123456789, time.UTC),
		Labels:   map[string]string{"channel": "web", "campaign": "spring", "region": "eu-north"},
		Discount: 0.125,
		Paid:     true,
	}
	for i := range lines {
		order.Lines = append(order.Lines, Line{
			SKU:      fmt.Sprintf("sku-%05d", i),
			Title:    fmt.Sprintf("Garden chair, model %d", i),
			Quantity: i%7 + 1,
			Price:    19.95 + float64(i),
		})
	}
	return order
}
