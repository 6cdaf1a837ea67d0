// Package structure tests what a reader of the code relies on: which package imports which, how large types are, and
// that everything exported is documented. It consists of tests alone.
package structure
