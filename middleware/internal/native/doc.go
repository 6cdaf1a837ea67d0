// Package native is about the values that Machinery carries by itself: base types and slices of them. Its functions are
// pure.
package native
