// Package zstdencoding makes the payloads of envelopes smaller, with Zstandard (RFC 8878).
//
//	registry := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))
//
// Short payloads, and those that would not get shorter, are left as they are. Other languages read and write the same
// with their zstd library: a payload is a frame without a dictionary.
package zstdencoding
