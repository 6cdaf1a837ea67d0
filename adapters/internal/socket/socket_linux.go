package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// maxCall bounds the bytes of one system call: the garbage collector may have to wait for it.
const maxCall = 64 << 10

// conn is a connection of the operating system.
type conn struct {
	net.Conn
	raw           syscall.RawConn
	input, output transfer
	read, write   func(fd uintptr) (ended bool)
}

// New returns c, which reads and writes as this package's documentation says. Its errors are those of c, but that they
// name the network of its address, such as tcp for tcp4.
func New(c net.Conn) net.Conn {
	ofSystem, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := ofSystem.SyscallConn()
	if err != nil {
		return c // as it is closed
	}
	w := &conn{Conn: c, raw: raw}
	// Made for each call, they would be allocated for each.
	w.read = w.input.read
	w.write = w.output.write
	return w
}

// SyscallConn makes it a syscall.Conn, as what it was made of.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.input.begin(p)
	n, err := c.input.end(c.raw.Read(c.read))
	if err != nil {
		return 0, c.failure("read", err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *conn) Write(p []byte) (int, error) {
	c.output.begin(p)
	n, err := c.output.end(c.raw.Write(c.write))
	if err != nil {
		return n, c.failure("write", err)
	}
	return n, nil
}

// failure returns an error as package net does.
func (c *conn) failure(op string, err error) error {
	failure := &net.OpError{
		Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err),
	}
	if ofRaw, ok := errors.AsType[*net.OpError](err); ok {
		failure.Err = ofRaw.Err // closed, or out of time
	}
	return failure
}

// A transfer is what one call reads or writes. It is held from its begin to its end.
type transfer struct {
	held  sync.Mutex
	p     []byte
	n     int
	errno syscall.Errno
}

func (t *transfer) begin(p []byte) {
	t.held.Lock()
	t.p = p
}

// end returns what came of the transfer, of which err is what ended the wait for the socket.
func (t *transfer) end(err error) (n int, _ error) {
	defer t.held.Unlock()
	n = t.n
	if err == nil && t.errno != 0 {
		err = t.errno
	}
	t.p, t.n, t.errno = nil, 0, 0
	return n, err
}

// read reads what there is, once. It has not ended where there is nothing yet.
func (t *transfer) read(fd uintptr) (ended bool) {
	for {
		t.n, t.errno = call(syscall.SYS_READ, fd, t.p)
		switch t.errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// write has not ended where the socket takes no more before its peer has read some.
func (t *transfer) write(fd uintptr) (ended bool) {
	for t.n < len(t.p) {
		n, errno := call(syscall.SYS_WRITE, fd, t.p[t.n:])
		switch errno {
		case 0:
			t.n += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.errno = errno
			return true
		}
	}
	return true
}

// call makes a system call on a socket, which package net has made one that does not wait.
func call(number, fd uintptr, p []byte) (int, syscall.Errno) {
	p = p[:min(len(p), maxCall)]
	n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
