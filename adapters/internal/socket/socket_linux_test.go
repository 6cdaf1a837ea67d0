package socket_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/socket"
)

// tooMuch is more than the operating system keeps of what the peer does not read.
const tooMuch = 32 << 20

func randomBytes(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

// requireSame spares the report of megabytes that differ.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	require.Len(t, got, len(want))
	require.True(t, bytes.Equal(want, got), "other bytes")
}

type written struct {
	n   int
	err error
}

// beginWrite returns when conn has written the first byte of p, and theirs has read it. The rest waits for theirs.
func beginWrite(t *testing.T, conn, theirs net.Conn, p []byte) (ended <-chan written) {
	t.Helper()
	outcome := make(chan written, 1)
	go func() {
		n, err := conn.Write(p)
		outcome <- written{n, err}
	}()
	_, err := io.ReadFull(theirs, make([]byte, 1))
	require.NoError(t, err)
	return outcome
}

func TestWriteWritesAllThoughItHasToWait(t *testing.T) {
	ours, theirs := connect(t, "tcp")
	p := randomBytes(tooMuch)
	ended := beginWrite(t, socket.New(ours), theirs, p)
	rest := make([]byte, len(p)-1)
	_, err := io.ReadFull(theirs, rest)
	require.NoError(t, err)
	requireSame(t, p[1:], rest)
	require.Equal(t, written{n: len(p)}, <-ended)
}

func TestWriteTellsHowMuchHasLeftWhenItsTimeIsUp(t *testing.T) {
	ours, theirs := connect(t, "tcp")
	p := randomBytes(tooMuch)
	ended := beginWrite(t, socket.New(ours), theirs, p)
	require.NoError(t, ours.SetWriteDeadline(time.Now()))
	outcome := <-ended
	require.ErrorIs(t, outcome.err, os.ErrDeadlineExceeded)
	require.NoError(t, ours.Close())
	rest, err := io.ReadAll(theirs)
	require.NoError(t, err)
	requireSame(t, p[1:outcome.n], rest)
}

func TestOtherConnectionsAreLeftAsTheyAre(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	require.Same(t, ours, socket.New(ours))
}

func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	past := time.Now().Add(-time.Second)
	for name, spoil := range map[string]func(t *testing.T, ours, theirs net.Conn){
		"time is up": func(t *testing.T, ours, _ net.Conn) { require.NoError(t, ours.SetDeadline(past)) },
		"closed":     func(t *testing.T, ours, _ net.Conn) { require.NoError(t, ours.Close()) },
		"peer gone": func(t *testing.T, ours, _ net.Conn) {
			require.NoError(t, ours.(*net.TCPConn).CloseWrite())
			require.NoError(t, ours.(*net.TCPConn).CloseRead())
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := connect(t, "tcp")
			spoil(t, ours, theirs)
			conn, buffer := socket.New(ours), make([]byte, 1)
			for _, call := range []func(net.Conn) (int, error){
				func(c net.Conn) (int, error) { return c.Read(buffer) },
				func(c net.Conn) (int, error) { return c.Write(buffer) },
			} {
				n, err := call(conn)
				wantN, want := call(ours)
				require.Error(t, want)
				require.Equal(t, want, err)
				require.Equal(t, wantN, n)
			}
		})
	}
}

func TestResetIsReportedAsInPackageNet(t *testing.T) {
	ours, theirs := connect(t, "tcp")
	require.NoError(t, theirs.(*net.TCPConn).SetLinger(0))
	require.NoError(t, theirs.Close())
	_, err := socket.New(ours).Read(make([]byte, 1))
	require.Equal(t, &net.OpError{
		Op: "read", Net: "tcp", Source: ours.LocalAddr(), Addr: ours.RemoteAddr(),
		Err: os.NewSyscallError("read", syscall.ECONNRESET),
	}, err)
}
