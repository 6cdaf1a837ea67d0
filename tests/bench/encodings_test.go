package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

var encodedValues = map[string]any{
	"order-5":   newOrder(5),
	"order-500": newOrder(500),
	"text":      strings.Repeat("Garden chair, no. 7. ", 49)[:1024],
}

var encoderCarriers = map[string]carrier{
	"none":          encodedCarrier(),
	"zstd":          encodedCarrier(envelope.Encodings(zstdencoding.New())),
	"zstd-any-size": encodedCarrier(envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(0)))),
	"aead":          encodedCarrier(envelope.EncryptAll(newAEAD())),
	"zstd-aead":     encodedCarrier(envelope.Encodings(zstdencoding.New()), envelope.EncryptAll(newAEAD())),
	"temporal-zlib": zlibCarrier(),
}

func newAEAD() envelope.AEAD {
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := aead.New(keys)
	if err != nil {
		panic(err)
	}
	return primitive
}

// encodedCarrier carries values by a registry with the given options.
func encodedCarrier(opts ...envelope.Option) carrier {
	r := envelope.NewRegistry(opts...)
	envelope.MustRegister[Order](r, "shop.Order")
	return library[string]{
		encode: func(v any) (string, error) { return r.Marshal(context.Background(), v) },
		decode: func(text string, target any) error { return r.Unmarshal(context.Background(), text, target) },
	}
}

// zlibCarrier is Temporal with its zlib codec, which sends what got no shorter as it was.
func zlibCarrier() carrier {
	zlib := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(),
		converter.NewZlibCodec(converter.ZlibCodecOptions{}))
	return library[[]byte]{
		encode: func(v any) ([]byte, error) {
			payload, err := zlib.ToPayload(v)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(payload)
		},
		decode: func(wire []byte, target any) error {
			var payload commonpb.Payload
			if err := proto.Unmarshal(wire, &payload); err != nil {
				return err
			}
			return zlib.FromPayload(&payload, target)
		},
	}
}

// size returns how many bytes are sent for v.
func (l library[W]) size(v any) (int, error) {
	wire, err := l.encode(v)
	return reflect.ValueOf(wire).Len(), err
}

func TestEncodedRoundTripsAreEqual(t *testing.T) {
	for payload, want := range encodedValues {
		for name, carrier := range encoderCarriers {
			got, err := carrier.roundTrip(want)
			if err != nil {
				t.Errorf("%s by %s: %v", payload, name, err)
			} else if !reflect.DeepEqual(reflect.ValueOf(got).Elem().Interface(), want) {
				t.Errorf("%s by %s: what arrived differs from what was sent", payload, name)
			}
		}
	}
}

func BenchmarkEncodings(b *testing.B) {
	for _, p := range encodedPayloads {
		for _, e := range encoders {
			for _, op := range operations {
				name := fmt.Sprintf("payload=%s/op=%s/encoder=%s", p.name, op, e.name)
				b.Run(name, func(b *testing.B) { benchmarkEncoder(b, encodedValues[p.name], op, e.name) })
			}
		}
	}
}

func benchmarkEncoder(b *testing.B, value any, operation, encoder string) {
	carrier := encoderCarriers[encoder]
	size, err := carrier.(interface{ size(v any) (int, error) }).size(value)
	if err != nil {
		b.Fatal(err)
	}
	operations, err := carrier.operations(value)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := operations[operation](); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size), wireBytes)
}
