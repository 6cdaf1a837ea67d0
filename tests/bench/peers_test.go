package main

import (
	"reflect"
	"testing"
)

func TestRoundTripsAreEqual(t *testing.T) {
	for payloadName, payload := range payloadsByName {
		for _, carrier := range carriers {
			want := payload.of(carrier.name)
			got, err := carrier.roundTrip(want)
			if err != nil {
				t.Errorf("%s by %s: %v", payloadName, carrier.name, err)
			} else if !reflect.DeepEqual(reflect.ValueOf(got).Elem().Interface(), want) {
				t.Errorf("%s by %s: what arrived differs from what was sent", payloadName, carrier.name)
			}
		}
	}
}

func BenchmarkPeers(b *testing.B) {
	for _, p := range payloads {
		b.Run("payload="+p.name, func(b *testing.B) {
			for _, op := range operations {
				b.Run("op="+op, func(b *testing.B) { benchmarkLibraries(b, p.name, op) })
			}
		})
	}
}

func benchmarkLibraries(b *testing.B, payload, operation string) {
	for _, carrier := range carriers {
		operations, err := carrier.operations(payloadsByName[payload].of(carrier.name))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("library="+carrier.name, func(b *testing.B) { inParallel(b, operations[operation]) })
	}
}

// inParallel uses as many cores as go test -cpu says.
func inParallel(b *testing.B, operation func() error) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := operation(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
