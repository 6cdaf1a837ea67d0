// Package sign signs tasks, and the states in which they end, with a message authentication code over a canonical form,
// and verifies it.
package sign
