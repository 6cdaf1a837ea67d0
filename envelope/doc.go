// Package envelope carries any Go value as one line of JSON text, exactly, between programs that registered its type
// under the same wire name.
//
//	registry := envelope.NewRegistry()
//	envelope.MustRegister[shop.Order](registry, "shop.Order")
//
//	text, err := registry.Marshal(ctx, order)
//	// {"$envelope":1,"type":"shop.Order","data":{"id":"o-1","qty":3}}
//	err = registry.Unmarshal(ctx, text, &order)
//
// What arrives equals what was sent, or one of the two calls returns an error that says where the value could not be
// carried: nil and empty differ, every bit of a number survives, nothing is dropped but what a field's own json tag
// drops. Struct tags, embedding and the json and text marshalers mean what encoding/json means by them.
//
// Only registered types travel, and a message can never name a type that was not registered. Known without registration
// are Go's basic types, time.Time, time.Duration, big.Int, big.Float, big.Rat, url.URL, netip.Addr, netip.AddrPort,
// netip.Prefix, json.RawMessage, json.Number, struct{} and google/uuid's UUID, with pointers to, and slices, arrays and
// maps of, all of these.
//
// # Exact
//
// What arrives is equal in the sense of reflect.DeepEqual, except that NaN equals NaN, that times are equal by instant
// and offset (they arrive in UTC or in a zone without a name, never in the local one), and that big numbers are equal
// by Cmp (a big.Float by precision and rounding mode too), and a url.URL by its String. Of a json.RawMessage the JSON
// value arrives, without white space around, and nil for null. Defined types of a basic kind that are not registered
// travel as that kind: where Go's own types say what is meant, such as in a field, nothing is lost by that; inside an
// interface they are refused.
//
// All this ends at the marshalers that a type brings, and at codecs and converters: how exact those are is their
// author's choice. What a marshaler wrote is read back before it is sent, and refused if its own unmarshaler does not
// take it. [Verified] and [VerifyAll] refuse what would arrive as another value. [AsJSON] leaves a type to
// encoding/json.
//
// # Or refused
//
// [Register] and [Registry.Check] refuse what could not be carried whole: channels, functions, unexported fields,
// embedded pointers to unexported structs, marshalers that work one way only (see [AsJSON]) or that hide other fields,
// map keys other than strings, integers, booleans and types with text marshalers, interfaces that are not registered.
// [Registry.Marshal] refuses cycles, invalid UTF-8, pointers to nil values, fields with a value that others hide, times
// whose offset has seconds, and a url.URL that does not parse back to itself. [Registry.Unmarshal] refuses null where
// nil cannot be, numbers that overflow, duplicate names, wrong kinds and lengths. What a field's own tag drops (-,
// omitempty, omitzero) is its author's choice. Members that a struct has no field for are ignored, or refused with
// [RefuseUnknownMembers].
//
// # Smaller, unreadable, elsewhere
//
// Options of a registry say what is done to payloads on their way: [Encodings], such as the compression of package
// zstdencoding, then encryption ([EncryptAll], [EncryptMarked]) with any AEAD, such as Google Tink's, and at last a
// payload store for those that are too large for the queue ([WithStore]). Headers stay readable, and cannot be changed
// under an encrypted payload. An envelope that is not encoded as it has to be is refused.
//
// # Errors
//
// All errors are, or wrap, an [*Error] with the type and path, and can be told apart with errors.Is. They name what
// cures them, and never show a value: the error of an unmarshaler is shown without what it quotes, and only if nothing
// in it could be of the value.
//
// How a type is written and read is worked out once and kept; a [Registry] may be used, and added to, by any number of
// goroutines.
package envelope
