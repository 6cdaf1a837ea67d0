package envelope_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// mapStore keeps payloads in a map. Package redisadapter has a store for real use.
type mapStore map[string][]byte

func (m mapStore) Put(_ context.Context, data []byte) (string, error) {
	ref := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	m[ref] = bytes.Clone(data)
	return ref, nil
}

func (m mapStore) Get(_ context.Context, ref string, limit int) ([]byte, error) {
	data, ok := m[ref]
	switch {
	case !ok:
		return nil, envelope.ErrMissingPayload
	case len(data) > limit:
		return nil, envelope.ErrLimit
	}
	return data, nil
}

// What is too large for the queue goes elsewhere.
func ExampleWithStore() {
	store := mapStore{}
	registry := envelope.NewRegistry(envelope.WithStore(store, 1000))

	text, err := registry.Marshal(context.Background(), strings.Repeat("long ", 1000))
	if err != nil {
		panic(err)
	}
	fmt.Println(text)
	var read string
	err = registry.Unmarshal(context.Background(), text, &read)
	fmt.Println(len(store), len(read), err)
	// Output:
	// {"$envelope":1,"type":"string","ref":"sha256:9a388cf9089ac16d9cd6e235c2c5209944cc4d8c4930176afa1e6c86c4b1ef12"}
	// 1 5000 <nil>
}

// An inspector sees what is in a message, but nothing of a type marked as Secret.
func ExampleRegistry_Inspect() {
	type Order struct{ ID string }
	type Password struct{ Text string }
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "shop.Order")
	envelope.MustRegister[Password](registry, "shop.Password", envelope.Secret())

	for _, v := range []any{Order{"o-1"}, []Password{{"hunter2"}}} {
		text, err := registry.Marshal(context.Background(), v)
		if err != nil {
			panic(err)
		}
		described, err := registry.Inspect(context.Background(), text)
		fmt.Println(described, err)
	}
	// Output:
	// shop.Order
	// {"ID":"o-1"} <nil>
	// []shop.Password
	// [shop.Password(…)] <nil>
}

// A page that shows messages walks through the tree of a payload.
func ExampleRegistry_Describe() {
	type Password struct{ Text string }
	type Login struct {
		User     string
		Password Password
		Devices  []any
	}
	registry := envelope.NewRegistry()
	envelope.MustRegister[Login](registry, "shop.Login")
	envelope.MustRegister[Password](registry, "shop.Password", envelope.Secret())
	text, err := registry.Marshal(context.Background(), Login{"ada", Password{"hunter2"}, []any{"phone", 2}})
	if err != nil {
		panic(err)
	}

	description, err := registry.Describe(context.Background(), text)
	fmt.Println(description.Type, description.Size, err)
	for _, node := range description.Value.Nodes {
		fmt.Println(node.Name, node.Kind, node)
	}
	// Output:
	// shop.Login 145 <nil>
	// User string "ada"
	// Password hidden shop.Password(…)
	// Devices array ["phone",int(2)]
}
