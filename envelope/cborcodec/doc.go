// Package cborcodec lets types travel as CBOR (RFC 8949), by [envelope.UseCodec]: more compact than JSON for numbers
// and bytes.
package cborcodec
