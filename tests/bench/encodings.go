package main

import "fmt"

var encodings = section{
	title:     "Encodings",
	benchmark: "Encodings",
	runs:      []run{{cpu: "1"}},
	report:    reportEncodings,
	bounds:    boundEncodings,
}

const aboutEncodings = `One operation is from a Go value to what could be sent, and back. Temporal's zlib codec sits on its
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

// encoding is the measurement of one sub-benchmark.
func encoding(payload, encoder, unit string) measurement {
	return measurement{fmt.Sprintf("Encodings/payload=%s/encoder=%s", payload, encoder), "", 1, unit}
}

func reportEncodings(m *measurements) string {
	text := aboutEncodings
	for _, p := range encodedPayloads {
		var rows [][]string
		for _, e := range encoders {
			rows = append(rows, []string{e.title,
				duration(m.median(encoding(p.name, e.name, seconds))),
				times(m.median(encoding(p.name, "temporal-zlib", seconds))/m.median(encoding(p.name, e.name, seconds)), 1),
				count(m.median(encoding(p.name, e.name, wireBytes))),
				count(m.median(encoding(p.name, e.name, allocations))),
			})
		}
		text += fmt.Sprintf("### %s\n\n", p.title) +
			table([]string{"", "both", "speed of zlib", "bytes", "allocs/op"}, rows) + "\n"
	}
	return text
}

func boundEncodings(m *measurements) []bound {
	byZlib := func(payload, encoder, unit string) float64 {
		return m.median(encoding(payload, encoder, unit)) / m.median(encoding(payload, "temporal-zlib", unit))
	}
	added := m.median(encoding("text", "aead", seconds)) - m.median(encoding("text", "none", seconds))
	return []bound{
		atLeast(20, 1/byZlib("order-5", "zstd", seconds),
			"5 lines with zstd, too short for it by default, speed of Temporal's zlib codec"),
		atLeast(20, 1/byZlib("order-5", "zstd-any-size", seconds), "5 lines with zstd at any size, speed of Temporal's zlib codec"),
		atLeast(3, 1/byZlib("order-500", "zstd", seconds), "500 lines with zstd, speed of Temporal's zlib codec"),
		atMost(1, byZlib("order-500", "zstd", wireBytes), "500 lines with zstd, bytes of Temporal's zlib codec"),
		within(3e-6, added, duration, "AES-GCM adds to a string of 1 KB"),
	}
}
