// Package taskjson writes and reads Machinery's signatures and states as encoding/json does, in a fraction of its time.
// What it does not know how to write or read, it leaves to encoding/json: the bytes, the values and the errors are the
// same.
package taskjson
