// Package protocodec lets Protocol Buffers messages travel in their own format, by [envelope.UseCodec].
package protocodec
