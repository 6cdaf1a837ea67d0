//go:build !(386 || arm || mips || mipsle)

// The version of Tink that go.mod requires has a constant that overflows on 32-bit machines.

package envelope_test

import (
	"context"
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
