// Package documents tests what the documents say: the Go code that they show, compiled and run, and the files that they
// name. It consists of tests alone.
package documents
