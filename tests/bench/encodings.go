package main

import "fmt"

var encodings = section{
	title:     "Encodings",
	benchmark: "Encodings",
	runs:      []run{{cpu: "1"}},
	report:    reportEncodings,
	bounds:    boundEncodings,
}

const aboutEncodings = `One operation is from a Go value to what could be sent, back, or both. Temporal's zlib codec sits on its
default converter, whose payload is sent as protobuf; bytes count what is sent, the base64 of envelopes included. zstd
leaves payloads of less than 1,024 bytes alone unless told otherwise, and so the order of 5 lines: "zstd, any size" is
with zstdencoding.MinSize(0). AES-GCM is Tink's AES256_GCM, on a string of 1 KB.

`

const wireBytes = "wire-bytes"

// Who encodes what: the names of the sub-benchmarks, and how the report shows them.
var (
	encodedPayloads = []struct{ name, title string }{
		{"order-5", "An order of 5 lines"},
		{"order-500", "An order of 500 lines"},
		{"text", "A string of 1 KB"},
	}
	encoders = []struct{ name, title string }{
		{"none", "envelope, not encoded"},
		{"zstd", "**envelope**, zstd"},
		{"zstd-any-size", "**envelope**, zstd, any size"},
		{"aead", "**envelope**, AES-GCM"},
		{"zstd-aead", "**envelope**, zstd, AES-GCM"},
		{"temporal-zlib", "Temporal, zlib"},
	}
)

// encoding is the median of what was measured of one sub-benchmark.
func encoding(m *measurements, payload, operation, encoder, unit string) float64 {
	name := fmt.Sprintf("Encodings/payload=%s/op=%s/encoder=%s", payload, operation, encoder)
	return m.median(measurement{name, "", 1, unit})
}

func reportEncodings(m *measurements) string {
	text := aboutEncodings
	for _, p := range encodedPayloads {
		var rows [][]string
		for _, e := range encoders {
			row := []string{e.title}
			for _, op := range operations {
				row = append(row, duration(encoding(m, p.name, op, e.name, seconds)))
			}
			faster := encoding(m, p.name, "both", "temporal-zlib", seconds) / encoding(m, p.name, "both", e.name, seconds)
			rows = append(rows, append(row, times(faster, 1),
				count(encoding(m, p.name, "both", e.name, wireBytes)), count(encoding(m, p.name, "both", e.name, allocations))))
		}
		text += fmt.Sprintf("### %s\n\n", p.title) +
			table([]string{"", "encode", "decode", "both", "speed of zlib, both", "bytes", "allocs/op, both"}, rows) + "\n"
	}
	return text
}

func boundEncodings(m *measurements) []bound {
	byZlib := func(payload, encoder, unit string) float64 {
		return encoding(m, payload, "both", encoder, unit) / encoding(m, payload, "both", "temporal-zlib", unit)
	}
	added := func(operation string) float64 {
		return encoding(m, "text", operation, "aead", seconds) - encoding(m, "text", operation, "none", seconds)
	}
	return []bound{
		atLeast(20, 1/byZlib("order-5", "zstd", seconds),
			"5 lines with zstd, too short for it by default, speed of Temporal's zlib codec"),
		atLeast(20, 1/byZlib("order-5", "zstd-any-size", seconds), "5 lines with zstd at any size, speed of Temporal's zlib codec"),
		atLeast(3, 1/byZlib("order-500", "zstd", seconds), "500 lines with zstd, speed of Temporal's zlib codec"),
		atMost(1, byZlib("order-500", "zstd", wireBytes), "500 lines with zstd, bytes of Temporal's zlib codec"),
		within(3e-6, added("encode"), duration, "AES-GCM, and base64 for it, adds to writing a string of 1 KB"),
		within(3e-6, added("decode"), duration, "AES-GCM, and base64 for it, adds to reading a string of 1 KB"),
		within(3e-6, added("both"), duration, "AES-GCM, and base64 for it, adds to writing and reading a string of 1 KB"),
	}
}
