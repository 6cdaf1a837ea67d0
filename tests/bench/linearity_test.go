package main

import (
	"fmt"
	"reflect"
	"testing"
)

// Node makes a list as deep as it is long.
type Node struct {
	Value int   `json:"value"`
	Next  *Node `json:"next"`
}

// Box holds anything, another Box for instance, which then is an envelope in an envelope.
type Box struct {
	Value   int `json:"value"`
	Content any `json:"content"`
}

// grow makes a value of n elements, by the names of growths.
var grow = map[string]func(n int) any{
	"size":      growSize,
	"depth":     growDepth,
	"envelopes": growEnvelopes,
	"nested":    growNested,
}

func growSize(n int) any { return newOrder(n) }

func growDepth(n int) any {
	var list Node
	for i := range n - 1 {
		next := list
		list = Node{Value: i, Next: &next}
	}
	return list
}

func growEnvelopes(n int) any {
	elements := make([]any, n)
	for i, line := range newOrder(n).Lines {
		elements[i] = line
	}
	return elements
}

func growNested(n int) any {
	var box Box
	for i := range n - 1 {
		box = Box{Value: i, Content: box}
	}
	return box
}

func TestGrowthsRoundTrip(t *testing.T) {
	for _, g := range growths {
		sent := grow[g.name](growthSizes[0])
		arrived, err := library[string]{encodeEnvelope, decodeEnvelope}.roundTrip(sent)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		} else if !reflect.DeepEqual(reflect.ValueOf(arrived).Elem().Interface(), sent) {
			t.Errorf("%s: what arrived differs from what was sent", g.name)
		}
	}
}

func BenchmarkLinearity(b *testing.B) {
	for _, g := range growths {
		for _, op := range growthOperations {
			for _, n := range growthSizes {
				benchmarkGrowth(b, g.name, op, n)
			}
		}
	}
}

func benchmarkGrowth(b *testing.B, growth, op string, n int) {
	operations, err := library[string]{encodeEnvelope, decodeEnvelope}.operations(grow[growth](n))
	if err != nil {
		b.Fatal(err)
	}
	name := fmt.Sprintf("growth=%s/op=%s/n=%d", growth, op, n)
	b.Run(name, func(b *testing.B) { warmedUp(b, operations[op]) })
}

// warmedUp leaves out the first time, when the goroutine's stack grows as deep as the value is.
func warmedUp(b *testing.B, operation func() error) {
	if err := operation(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := operation(); err != nil {
			b.Fatal(err)
		}
	}
}
