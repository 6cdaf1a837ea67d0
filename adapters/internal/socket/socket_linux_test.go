package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/socket"
)

func TestWriteNowWritesWhatFitsAndNoMore(t *testing.T) {
	t.Parallel()
	ours, theirs := connect(t, "tcp")
	conn := socket.New(ours)
	part := bytes.Repeat([]byte("0123456789"), 10_000)
	var sent []byte
	for {
		n := socket.WriteNow(conn, part) // nobody reads
		sent = append(sent, part[:n]...)
		if n < len(part) {
			break
		}
	}
	require.NotEmpty(t, sent)
	received := make([]byte, len(sent))
	_, err := io.ReadFull(theirs, received)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, received), "what arrives is what was written")
}

func TestWriteNowWritesNothingWhileAWriteGoesOn(t *testing.T) {
	t.Parallel()
	ours, theirs := connect(t, "tcp")
	conn := socket.New(ours)
	for socket.WriteNow(conn, make([]byte, 1<<20)) == 1<<20 { // until it is full
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, 64<<20)) // more than the kernel takes
		written <- err
	}()
	require.Zero(t, socket.WriteNow(conn, []byte("x")))
	_ = theirs.Close()
	require.Error(t, <-written)
	require.Zero(t, socket.WriteNow(conn, []byte("x")), "the connection is gone")
}

func TestWriteNowLeavesOtherConnectionsAlone(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	require.Same(t, near, socket.New(near))
	require.Zero(t, socket.WriteNow(near, []byte("x")))
}

func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	t.Parallel()
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write([]byte("x")); return err }
	past := time.Unix(1, 0)
	reset := func(theirs net.Conn) {
		_ = theirs.(*net.TCPConn).SetLinger(0)
		_ = theirs.Close()
	}
	for name, fail := range map[string]func(ours, theirs net.Conn) error{
		"read of closed":        func(ours, _ net.Conn) error { _ = ours.Close(); return read(ours) },
		"write to closed":       func(ours, _ net.Conn) error { _ = ours.Close(); return write(ours) },
		"read of ended":         func(ours, theirs net.Conn) error { _ = theirs.Close(); return read(ours) },
		"read of reset":         func(ours, theirs net.Conn) error { reset(theirs); return read(ours) },
		"write to reset":        func(ours, theirs net.Conn) error { reset(theirs); _ = read(ours); return write(ours) },
		"read that is too late": func(ours, _ net.Conn) error { _ = ours.SetDeadline(past); return read(ours) },
		"write that is late":    func(ours, _ net.Conn) error { _ = ours.SetDeadline(past); return write(ours) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, end := connect(t, "tcp")
			want := fail(plain, end)
			ours, theirs := connect(t, "tcp")
			got := fail(socket.New(ours), theirs)
			var wantOp, gotOp *net.OpError
			if !errors.As(want, &wantOp) {
				require.Equal(t, want, got) // io.EOF
				return
			}
			require.ErrorAs(t, got, &gotOp)
			require.Equal(t, wantOp.Op, gotOp.Op)
			require.Equal(t, wantOp.Net, gotOp.Net)
			require.Equal(t, wantOp.Err, gotOp.Err)
			require.Equal(t, ours.LocalAddr(), gotOp.Source)
			require.Equal(t, ours.RemoteAddr(), gotOp.Addr)
		})
	}
}
