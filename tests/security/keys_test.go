package security_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// keys is a keyset of Tink's, as an administrator rotates it.
type keys struct {
	manager  *keyset.Manager
	template *tinkpb.KeyTemplate
}

func newKeys(t *testing.T, template *tinkpb.KeyTemplate) *keys {
	k := &keys{keyset.NewManager(), template}
	k.use(t, k.add(t))
	return k
}

// add makes a key that is good for reading.
func (k *keys) add(t *testing.T) uint32 {
	id, err := k.manager.Add(k.template)
	require.NoError(t, err)
	return id
}

// use makes a key the one that is written with.
func (k *keys) use(t *testing.T, id uint32) { require.NoError(t, k.manager.SetPrimary(id)) }

func (k *keys) withdraw(t *testing.T, id uint32) { require.NoError(t, k.manager.Disable(id)) }

func (k *keys) handle(t *testing.T) *keyset.Handle {
	handle, err := k.manager.Handle()
	require.NoError(t, err)
	return handle
}

// signing is the option for the keys as they are now.
func (k *keys) signing(t *testing.T, opts ...middleware.SignOption) middleware.Option {
	primitive, err := mac.New(k.handle(t))
	require.NoError(t, err)
	return middleware.SignTasks(primitive, opts...)
}

// encryption is the option for the keys as they are now.
func (k *keys) encryption(t *testing.T) envelope.Option {
	primitive, err := aead.New(k.handle(t))
	require.NoError(t, err)
	return envelope.EncryptAll(primitive)
}

func (k *keys) primary(t *testing.T) uint32 { return k.handle(t).KeysetInfo().GetPrimaryKeyId() }

func newMACKeys(t *testing.T) *keys  { return newKeys(t, mac.HMACSHA256Tag256KeyTemplate()) }
func newAEADKeys(t *testing.T) *keys { return newKeys(t, aead.AES256GCMKeyTemplate()) }
