package zstdencoding_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

// Long payloads get shorter; the type stays readable.
func ExampleNew() {
	registry := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))

	text, err := registry.Marshal(context.Background(), strings.Repeat("many words ", 1000))
	if err != nil {
		panic(err)
	}
	parsed, err := envelope.Parse(text)
	if err != nil {
		panic(err)
	}
	fmt.Println(parsed)
	fmt.Println(len(text) < 200)
	// Output:
	// string, encoding zstd
	// true
}

// Short payloads are left alone, unless told otherwise.
func ExampleMinSize() {
	registry := envelope.NewRegistry(envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(200))))

	text, err := registry.Marshal(context.Background(), strings.Repeat("many words ", 20))
	if err != nil {
		panic(err)
	}
	parsed, err := envelope.Parse(text)
	if err != nil {
		panic(err)
	}
	fmt.Println(parsed)
	// Output:
	// string, encoding zstd
}
