package envelope_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

// With a Tink keyset nobody else reads what is in the queue, or changes it.
func ExampleEncryptAll() {
	// A real keyset comes from a file or a key management service: see package keyset.
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := aead.New(keys)
	if err != nil {
		panic(err)
	}
	registry := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()), envelope.EncryptAll(primitive))

	text, err := registry.Marshal(context.Background(), "the code is 4711")
	if err != nil {
		panic(err)
	}
	var read string
	err = registry.Unmarshal(context.Background(), text, &read)
	fmt.Println(strings.Contains(text, "4711"), read, err)
	// Output:
	// false the code is 4711 <nil>
}

// Card asks for encryption, and so does what holds one.
func ExampleEncrypted() {
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := aead.New(keys)
	if err != nil {
		panic(err)
	}
	type Card struct{ Number string }
	type Payment struct {
		Cents int
		Card  Card
	}
	registry := envelope.NewRegistry(envelope.EncryptMarked(primitive))
	envelope.MustRegister[Card](registry, "shop.Card", envelope.Encrypted())
	envelope.MustRegister[Payment](registry, "shop.Payment")

	for _, v := range []any{Payment{Cents: 995}, []any{Card{}}, []string{"a", "b"}} {
		text, err := registry.Marshal(context.Background(), v)
		if err != nil {
			panic(err)
		}
		parsed, err := envelope.Parse(text)
		if err != nil {
			panic(err)
		}
		fmt.Println(parsed)
	}
	// Output:
	// shop.Payment, encoding aead
	// []any, encoding aead
	// []string
}

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
	// []shop.Password <nil>
}
