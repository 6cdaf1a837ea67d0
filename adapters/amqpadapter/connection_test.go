package amqpadapter_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

// The test would time out: connecting waits half a minute for a server that says nothing.
func TestConnectingEndsWithItsContextThoughTheServerSaysNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			accepted <- conn
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := amqpadapter.NewDeadLetters(ctx, "amqp://"+listener.Addr().String()+"?connection_timeout=3600000", "letters")
		failed <- err
	}()
	conn := <-accepted
	defer func() { _ = conn.Close() }()
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, failed), context.Canceled)
}
