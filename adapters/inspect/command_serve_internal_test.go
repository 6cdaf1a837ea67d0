package inspect

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pipeListener accepts the connections that it is given.
type pipeListener struct {
	connections chan net.Conn
	closed      context.Context
	close       context.CancelFunc
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.connections:
		return conn, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.close(); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

// Whoever sends no more than a part of a header holds a connection for ten seconds.
func TestServeEndsAConnectionWhoseHeaderDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := &pipeListener{connections: make(chan net.Conn)}
		listener.closed, listener.close = context.WithCancel(t.Context())
		ctx, interrupt := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serveUntil(ctx, listener, NewHandler(nil, nil)) }()
		client, server := net.Pipe()
		listener.connections <- server
		began := time.Now()
		_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: ")
		require.NoError(t, err)
		require.NoError(t, client.SetReadDeadline(began.Add(time.Minute)))
		_, err = io.ReadAll(client)
		require.NoError(t, err, "the connection is still open")
		assert.Equal(t, 10*time.Second, time.Since(began))
		interrupt()
		require.NoError(t, <-ended)
	})
}
