// Package envelope carries any Go value as one line of JSON text, exactly, between programs that
// registered its type under the same wire name.
//
//	registry := envelope.NewRegistry()
//	envelope.MustRegister[shop.Order](registry, "shop.Order")
//
//	text, err := registry.Marshal(ctx, order)
//	// {"$envelope":1,"type":"shop.Order","data":{"id":"o-1","qty":3}}
//	err = registry.Unmarshal(ctx, text, &order)
//
// What arrives equals what was sent, or one of the two calls returns an error that says where the value
// could not be carried: nil and empty differ, every bit of a number survives, nothing is dropped
// but what a field's own json tag drops. Struct tags, embedding and the json and text marshalers mean what
// encoding/json means by them.
//
// Only registered types travel, and a message can never name a type that was not registered. Known without
// registration are Go's basic types, time.Time, time.Duration, big.Int, big.Float, big.Rat, url.URL,
// netip.Addr, netip.AddrPort, netip.Prefix, json.RawMessage, json.Number and google/uuid's UUID, with
// pointers to, and slices, arrays and maps of, all of these.
//
// How a type is written and read is worked out once and kept; a [Registry] may be used, and added to, by
// any number of goroutines.
package envelope
