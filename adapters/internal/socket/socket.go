// Package socket reads and writes network connections by system calls that Go's scheduler is not told of.
//
// The scheduler is told of other system calls since they may wait. For that it wakes a thread where all of the process
// has waited before, as it has in one that hears from a server: of what a process computes for a task that it sends,
// that was a third, and it delayed the next. A system call on a socket does not wait: for what cannot be read or
// written yet the goroutine waits, as in package net.
//
// Only Linux has that, and connections of the operating system.
package socket

import "net"

// WriteNow writes what the operating system takes without a wait, and returns how many bytes of p that is: none while
// a Write goes on, and none where conn is not one that New has changed. Errors are those of the next Write.
func WriteNow(conn net.Conn, p []byte) int {
	if c, ok := conn.(interface{ writeNow(p []byte) int }); ok {
		return c.writeNow(p)
	}
	return 0
}
