package amqpadapter

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// connectTCP returns both ends of a connection.
func connectTCP(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	near, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	far, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func TestWriteBufferFailsWithTheErrorOfAnEarlierWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		require.NoError(t, far.Close())
		buffer := newWriteBuffer(near)
		_, err := buffer.Write([]byte("first"))
		require.NoError(t, err, "it does not wait for the network")
		synctest.Wait()
		n, err := buffer.Write([]byte("second"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Zero(t, n)
	})
}

// A slowNetwork takes each piece just in time.
type slowNetwork struct {
	net.Conn
	deadline atomic.Pointer[time.Time]
	taken    atomic.Int64
}

func (n *slowNetwork) Write(p []byte) (int, error) {
	time.Sleep(writeTimeout - time.Second)
	if time.Now().After(*n.deadline.Load()) {
		return 0, os.ErrDeadlineExceeded
	}
	n.taken.Add(int64(len(p)))
	return len(p), nil
}

func (n *slowNetwork) SetWriteDeadline(at time.Time) error {
	n.deadline.Store(&at)
	return nil
}

func (n *slowNetwork) SetDeadline(at time.Time) error { return n.SetWriteDeadline(at) }
func (n *slowNetwork) Close() error                   { return nil }

func TestSlowNetworkIsNotTakenForALostOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(slowNetwork)
		buffer := newWriteBuffer(network)
		const pieces = 4
		_, err := buffer.Write(make([]byte, pieces*writePiece))
		require.NoError(t, err)
		time.Sleep(pieces * writeTimeout)
		_, err = buffer.Write([]byte("more"))
		require.NoError(t, err)
		require.EqualValues(t, pieces*writePiece, network.taken.Load())
		require.NoError(t, buffer.Close(), "which gives it a second")
		time.Sleep(writeTimeout)
		require.EqualValues(t, pieces*writePiece, network.taken.Load())
	})
}

func TestWriteBufferKeepsNoMemoryOfWhatWasLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		buffer := newWriteBuffer(near).(*writeBuffer)
		for range 2 { // with the second it takes what the first has left
			_, err := buffer.Write(make([]byte, maxSpare+1))
			require.NoError(t, err)
			synctest.Wait()
		}
		buffer.mu.Lock()
		kept := cap(buffer.pending)
		buffer.mu.Unlock()
		require.LessOrEqual(t, kept, maxSpare)
		require.NoError(t, buffer.Close())
	})
}

func TestWriteBufferKeepsTheOrderOfWhatIsWritten(t *testing.T) {
	t.Parallel()
	near, far := connectTCP(t)
	buffer := newWriteBuffer(near)
	var sent bytes.Buffer
	write := func(i int) {
		part := bytes.Repeat([]byte{byte(i)}, 1+i*37%5000)
		sent.Write(part)
		n, err := buffer.Write(part)
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	const writes = 8000
	for i := range writes / 2 { // more than the socket takes: nobody reads yet
		write(i)
	}
	received := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(far)
		received <- all
	}()
	for i := range writes / 2 {
		write(i)
	}
	require.NoError(t, buffer.Close())
	require.True(t, bytes.Equal(sent.Bytes(), <-received), "what arrives is what was written")
}
