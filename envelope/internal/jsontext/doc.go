// Package jsontext reads and writes JSON text: tokens, numbers, strings and base64, without knowledge of Go types or
// envelopes. It is strict: duplicate names apart, which its callers look for, all that is read is well-formed JSON in
// valid UTF-8.
//
// Errors are of type *faults.Fault and never show a value.
package jsontext
