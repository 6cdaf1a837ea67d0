// Package socket reads and writes network connections by system calls that Go's scheduler is not told of.
//
// The scheduler is told of a system call because it may take long, and wakes a thread for that where the whole process
// has waited before, as one has that hears from a server. Of what a process computes for a task that it sends to
// RabbitMQ that was a third. A system call on a socket takes no time but that of copying: for what cannot be read or
// written yet the goroutine waits, as in package net.
//
// This is so on Linux, for connections of the operating system. Others are left as they are. The race detector does not
// see that one end of a connection has waited for the other.
package socket
