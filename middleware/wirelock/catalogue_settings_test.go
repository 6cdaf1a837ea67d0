package wirelock_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A key encrypts and signs, for tests.
type key struct{}

func (key) gcm() cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func (k key) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return k.gcm().Seal(nil, make([]byte, 12), plaintext, associatedData), nil
}

func (k key) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return k.gcm().Open(nil, make([]byte, 12), ciphertext, associatedData)
}

func (key) ComputeMAC(data []byte) ([]byte, error) {
	code := hmac.New(sha256.New, []byte("key"))
	code.Write(data)
	return code.Sum(nil), nil
}

func (k key) VerifyMAC(mac, data []byte) error {
	if want, _ := k.ComputeMAC(data); !hmac.Equal(want, mac) {
		return errors.New("another code")
	}
	return nil
}

// backwards is an encoding that is never left out.
type backwards struct{}

func (backwards) Name() string { return "backwards" }

func (backwards) AppendEncode(dst, data []byte) ([]byte, error) {
	turned := slices.Clone(data)
	slices.Reverse(turned)
	return append(dst, turned...), nil
}

func (b backwards) AppendDecode(dst, data []byte, _ int) ([]byte, error) {
	return b.AppendEncode(dst, data)
}

// payloads is a store that all programs share.
type payloads map[string][]byte

func (p payloads) Put(_ context.Context, data []byte) (string, error) {
	hash := sha256.Sum256(data)
	ref := "sha256:" + hex.EncodeToString(hash[:])
	p[ref] = bytes.Clone(data)
	return ref, nil
}

func (p payloads) Get(_ context.Context, ref string, _ int) ([]byte, error) {
	data, ok := p[ref]
	if !ok {
		return nil, envelope.ErrMissingPayload
	}
	return data, nil
}

// long is what compression helps with.
var long = withTextQty{"o", string(bytes.Repeat([]byte("long "), 200))}

// orders sends long orders, with options of the registry.
func orders(opts ...envelope.Option) generation {
	g := of(list(long))
	g.registry = opts
	return g
}

// cards sends orders of a type that is registered with options.
func cards(opts []envelope.TypeOption, registry ...envelope.Option) generation {
	g := of(list(long), opts...)
	g.registry = registry
	return g
}

// signed has a task with a result, and options of the middleware.
func signed(opts ...middleware.Option) generation {
	return takes[func(string) (string, error)](args("a")).returning(args("r")).installed(opts...)
}

func (g generation) installed(opts ...middleware.Option) generation {
	g.install = opts
	return g
}

// contextual lets the task take a context first.
func (g generation) contextual() generation {
	in := []reflect.Type{reflect.TypeFor[context.Context]()}
	for i := range g.task.NumIn() {
		in = append(in, g.task.In(i))
	}
	g.task = reflect.FuncOf(in, []reflect.Type{g.task.Out(0)}, false)
	return g
}

var (
	zstd      = envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(1)))
	readsZstd = envelope.Encodings(zstdencoding.New(zstdencoding.ReadOnly()))
	marked    = envelope.EncryptMarked(key{})
	allOf     = envelope.EncryptAll(key{})
	leniently = envelope.AllowUnencrypted()
	encrypted = list(envelope.Encrypted())
	shared    = payloads{}
	store     = envelope.WithStore(shared, 100)
	strictly  = envelope.RefuseUnknownMembers()
)

func strict(g generation) generation {
	g.registry = list(strictly)
	return g
}

var breakingSettings = []change{
	{name: "encryption of everything at once", old: orders(), new: orders(allOf)},
	{name: "encryption of a type at once", old: orders(), new: cards(encrypted, marked)},
	{name: "mark for encryption without leniency", old: orders(marked), new: cards(encrypted, marked)},
	{name: "encryption without its key any more", old: orders(allOf), new: orders()},
	{name: "encryption of marked types without its key any more", old: cards(encrypted, marked), new: orders()},
	{name: "compression taken out", old: orders(zstd), new: orders()},
	{name: "compression of a type taken out", old: orders(zstd), new: cards(list(envelope.EncodedBy()), zstd)},
	{name: "encoding added that is never left out", old: orders(), new: orders(envelope.Encodings(backwards{}))},
	{name: "payload store taken out", old: orders(store), new: orders()},
	{name: "signatures required at once", old: signed(), new: signed(middleware.SignTasks(key{}))},
	{name: "signatures taken out", old: signed(middleware.SignTasks(key{})), new: signed()},
	{name: "field removed where unknown members are refused", old: strict(of(list(withQty{"o", 3}))), new: strict(of(list(idOnly{"o"})))},
	{name: "unknown members refused, and an optional field removed", old: of(list(withOptionalQty{"o", 3})), new: strict(of(list(idOnly{"o"})))},
	{name: "codec changed where payloads are encrypted", old: orders(allOf), new: cards(list(cbor), allOf)},
}

var orderedSettings = []change{
	{name: "results no longer signed", old: signed(middleware.SignTasks(key{})), new: signed(middleware.SignTasks(key{}, middleware.UnsignedResults()))},
	{name: "compression brought in", old: orders(), new: orders(zstd)},
	{name: "payload store brought in", old: orders(), new: orders(store)},
	{name: "encryption brought in with leniency at once", old: orders(), new: orders(allOf, leniently)},
	{name: "leniency about encryption taken out", before: pointer(orders()), drained: true, old: orders(allOf, leniently), new: orders(allOf)},
	{name: "unsigned tasks no longer accepted", before: pointer(signed()), drained: true,
		old: signed(middleware.SignTasks(key{}, middleware.AcceptUnsigned())), new: signed(middleware.SignTasks(key{}))},
	{name: "signatures brought in but for accepting", old: signed(), new: signed(middleware.SignTasks(key{}, middleware.AcceptUnsigned()))},
	{name: "field added where unknown members are refused", old: strict(of(list(idOnly{"o"}))), new: strict(of(list(withQty{"o", 3})))},
}

var compatibleSettings = []change{
	{name: "compression to read", old: orders(), new: orders(readsZstd)},
	{name: "compression after it could be read", old: orders(readsZstd), new: orders(zstd)},
	{name: "payload store to read", old: orders(), new: orders(envelope.WithStore(shared, 1<<30))},
	{name: "payload store after it could be read", old: orders(envelope.WithStore(shared, 1<<30)), new: orders(store)},
	{name: "encryption, first step", old: orders(), new: orders(marked)},
	{name: "encryption of everything, second step", old: orders(marked), new: orders(allOf, leniently)},
	{name: "encryption of a type, second step", old: orders(marked), new: cards(encrypted, marked, leniently)},
	{name: "signatures, first step", old: signed(), new: signed(middleware.SignTasks(key{}, middleware.AcceptUnsigned(), middleware.UnsignedResults()))},
	{name: "signatures, second step", old: signed(middleware.SignTasks(key{}, middleware.AcceptUnsigned(), middleware.UnsignedResults())),
		new: signed(middleware.SignTasks(key{}, middleware.AcceptUnsigned()))},
	{name: "signatures get an age", old: signed(middleware.SignTasks(key{})), new: signed(middleware.SignTasks(key{}, middleware.WithMaxAge(time.Hour)))},
	{name: "unknown members no longer refused", old: strict(of(list(idOnly{"o"}))), new: of(list(idOnly{"o"}))},
	{name: "everything verified on sending", old: orders(), new: orders(envelope.VerifyAll())},
}
