//go:build !linux

package socket

import "net"

// New returns conn.
func New(conn net.Conn) net.Conn { return conn }
