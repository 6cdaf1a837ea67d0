package main

import (
	"cmp"
	"slices"
)

// median sorts values, of which there are some.
func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
