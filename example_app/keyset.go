package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// makeKeyset writes a new keyset. In clear text, because this is a demo: an application keeps its keysets encrypted by
// a key of its key management.
func makeKeyset(_ context.Context, _ options, out io.Writer) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(out)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out)
	return err
}

// newKey makes a key that this process alone knows.
func newKey() (envelope.AEAD, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

// readKey reads a keyset from a file.
func readKey(path string) (envelope.AEAD, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(file))
	if err != nil {
		// The reason given by Tink may quote the key.
		return nil, fmt.Errorf("%s is not a keyset of Tink as JSON", path)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%s has no AEAD key", path)
	}
	return key, nil
}
