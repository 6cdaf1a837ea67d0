package socket_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect returns both ends of a connection.
func connect(t testing.TB, network string) (ours, theirs net.Conn) {
	t.Helper()
	listener, err := nettest.NewLocalListener(network)
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	ours, err = net.Dial(network, listener.Addr().String())
	require.NoError(t, err)
	theirs, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = ours.Close()
		_ = theirs.Close()
	})
	return ours, theirs
}

func TestNewKeepsTheContractOfAConnection(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				ours, theirs := connect(t, network)
				return socket.New(ours), socket.New(theirs), func() { _, _ = ours.Close(), theirs.Close() }, nil
			})
		})
	}
}
