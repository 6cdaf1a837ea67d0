//go:build !(386 || arm || mips || mipsle)

// The version of Tink that go.mod requires has a constant that overflows on 32-bit machines.

package envelope_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// clinicWithKeys is what a service makes of the keyset that it was given.
func clinicWithKeys(t *testing.T, keys *keyset.Handle) *envelope.Registry {
	t.Helper()
	primitive, err := aead.New(keys)
	require.NoError(t, err)
	return newClinic(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(primitive))
}

func handleOf(t *testing.T, manager *keyset.Manager) *keyset.Handle {
	t.Helper()
	keys, err := manager.Handle()
	require.NoError(t, err)
	return keys
}

func requireCard(t *testing.T, r *envelope.Registry, text string) {
	t.Helper()
	read, err := readInto[clinicCard](r, text)
	require.NoError(t, err)
	assert.Equal(t, clinicCard{"4711"}, read)
}

func requireUndecryptable(t *testing.T, r *envelope.Registry, text string) {
	t.Helper()
	_, err := readInto[clinicCard](r, text)
	require.ErrorIs(t, err, envelope.ErrUndecryptable)
	require.ErrorContains(t, err, "clinic.Card: payload of clinic.Card cannot be decrypted")
}

func TestKeysAreRotated(t *testing.T) {
	keys := keyset.NewManager()
	oldID, err := keys.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, keys.SetPrimary(oldID))
	before := clinicWithKeys(t, handleOf(t, keys))
	oldText := marshal(t, before, clinicCard{"4711"})
	requireCard(t, before, oldText)

	// The new key goes to everybody before anybody uses it.
	newID, err := keys.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	prepared := clinicWithKeys(t, handleOf(t, keys))
	requireCard(t, prepared, oldText)
	requireCard(t, before, marshal(t, prepared, clinicCard{"4711"}))

	// Then producers use it, while messages under the old one are still about.
	require.NoError(t, keys.SetPrimary(newID))
	rotated := clinicWithKeys(t, handleOf(t, keys))
	newText := marshal(t, rotated, clinicCard{"4711"})
	requireCard(t, rotated, oldText)
	requireCard(t, rotated, newText)
	requireCard(t, prepared, newText)
	requireUndecryptable(t, before, newText)

	// At last the old one is withdrawn.
	require.NoError(t, keys.Disable(oldID))
	withdrawn := clinicWithKeys(t, handleOf(t, keys))
	requireCard(t, withdrawn, newText)
	requireUndecryptable(t, withdrawn, oldText)
	require.NoError(t, keys.Delete(oldID))
	requireUndecryptable(t, clinicWithKeys(t, handleOf(t, keys)), oldText)
}

func TestEveryKindOfTinkKeyFits(t *testing.T) {
	keys, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	require.NoError(t, err)
	r := clinicWithKeys(t, keys)
	requireEncodings(t, r, []any{clinicCard{"4711"}, repetitive}, "deflate", "aead")
	assert.NotEqual(t, marshal(t, r, 1), marshal(t, r, 1), "no nonce comes twice")
}
