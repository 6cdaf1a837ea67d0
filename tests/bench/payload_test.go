package main

import "math/rand/v2"

// A payload is a value to carry: own by this project, peers by everybody else.
type payload struct{ own, peers any }

var payloadsByName = map[string]payload{
	"order-5":   same(newOrder(5)),
	"order-500": same(newOrder(500)),
	"page":      {newPage(), unionPage(newPage())},
	"bytes":     same(newBytes(1 << 20)),
	"floats":    same(newFloats(100_000)),
}

func same(v any) payload { return payload{v, v} }

func (p payload) of(library string) any {
	if library == "envelope" {
		return p.own
	}
	return p.peers
}

func newBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func newFloats(n int) []float64 {
	random := rand.New(rand.NewPCG(1, 2))
	floats := make([]float64, n)
	for i := range floats {
		floats[i] = random.NormFloat64()
	}
	return floats
}
