package main

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/ThreeDotsLabs/watermill/components/cqrs"
	"github.com/ThreeDotsLabs/watermill/message"
	gojson "github.com/goccy/go-json"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// A library carries values; W is what it sends.
type library[W any] struct {
	encode func(v any) (W, error)
	decode func(wire W, target any) error
}

// carrier is a library whatever it sends.
type carrier interface {
	operations(v any) (map[string]func() error, error)
	roundTrip(v any) (any, error)
}

var carriers = []struct {
	name string
	carrier
}{
	{"encoding-json", library[string]{encodeJSON, decodeJSON}},
	{"envelope", library[string]{encodeEnvelope, decodeEnvelope}},
	{"go-json", library[string]{encodeGoJSON, decodeGoJSON}},
	{"temporal", library[[]byte]{encodeTemporal, decodeTemporal}},
	{"watermill", library[*message.Message]{cqrs.JSONMarshaler{}.Marshal, cqrs.JSONMarshaler{}.Unmarshal}},
}

// operations are what there is to time with v.
func (l library[W]) operations(v any) (map[string]func() error, error) {
	wire, err := l.encode(v)
	if err != nil {
		return nil, err
	}
	encode := func() error { _, err := l.encode(v); return err }
	decode := func() error { return l.decode(wire, newLike(v)) }
	both := func() error { _, err := l.roundTrip(v); return err }
	return map[string]func() error{"encode": encode, "decode": decode, "both": both}, nil
}

// roundTrip returns a pointer to what arrives.
func (l library[W]) roundTrip(v any) (any, error) {
	wire, err := l.encode(v)
	if err != nil {
		return nil, err
	}
	target := newLike(v)
	return target, l.decode(wire, target)
}

func newLike(v any) any { return reflect.New(reflect.TypeOf(v)).Interface() }

func encodeJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func decodeJSON(s string, target any) error { return json.Unmarshal([]byte(s), target) }

func encodeEnvelope(v any) (string, error) { return registry.Marshal(context.Background(), v) }

func decodeEnvelope(s string, target any) error {
	return registry.Unmarshal(context.Background(), s, target)
}

func encodeGoJSON(v any) (string, error) {
	b, err := gojson.Marshal(v)
	return string(b), err
}

func decodeGoJSON(s string, target any) error { return gojson.Unmarshal([]byte(s), target) }

// Temporal's payload goes on to be sent as protobuf; without that step a []byte would not even be copied.
func encodeTemporal(v any) ([]byte, error) {
	payload, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(payload)
}

func decodeTemporal(b []byte, target any) error {
	var payload commonpb.Payload
	if err := proto.Unmarshal(b, &payload); err != nil {
		return err
	}
	return converter.GetDefaultDataConverter().FromPayload(&payload, target)
}
