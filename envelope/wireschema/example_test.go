package wireschema_test

import (
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

type Order struct {
	ID  string `json:"id"`
	Qty int    `json:"qty,omitempty"`
}

func ExampleSchema_JSON() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	fmt.Print(string(registry.Schema().JSON()))
	// Output:
	// {
	//  "wire": 1,
	//  "settings": {},
	//  "types": [
	//   {"name":"orders.Order","version":1, "fields": [
	//    {"name":"id","form":"string"},
	//    {"name":"qty","form":"int","omitted":"empty"}
	//   ]}
	//  ],
	//  "interfaces": [
	//  ],
	//  "tasks": [
	//  ],
	//  "sum": "e3c3ea17618c1bd2"
	// }
}

func ExampleSchema_JSONSchema() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	for name, document := range registry.Schema().JSONSchema() {
		fmt.Println(name, len(document) > 0)
	}
	// Output: orders.Order true
}

func ExampleParse() {
	_, err := wireschema.Parse([]byte("{}"))
	fmt.Println(err)
	// Output: not a schema of the wire
}
