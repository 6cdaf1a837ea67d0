// Package jsonschema tests, with a library for JSON Schema, the documents that package wireschema makes for readers in
// other languages. It is a module of its own for the library's sake, and consists of tests alone.
package jsonschema
