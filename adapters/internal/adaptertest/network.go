package adaptertest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ErrInterrupted is the error of dialling on a Network that is interrupted.
var ErrInterrupted = errors.New("network is interrupted")

// A Network is the connections between a broker and its server, which it can cut, interrupt or hold up.
type Network struct {
	mu          sync.Mutex
	changed     *sync.Cond
	open        map[*conn]bool
	opened      int
	refused     int
	interrupted bool
	held        bool
	left        int // how many bytes pass before the network is interrupted, where that is bounded
	bounded     bool
}

// NewNetwork returns a network that works.
func NewNetwork() *Network {
	n := &Network{open: make(map[*conn]bool)}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Dial connects by TCP through the network. It is the Dialer of a client that takes one.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	inner, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{TCPConn: inner.(*net.TCPConn), network: n}
	if !n.enter(c) {
		_ = inner.Close()
		return nil, ErrInterrupted
	}
	return c, nil
}

func (n *Network) enter(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.interrupted {
		n.refused++
		return false
	}
	n.open[c] = true
	n.opened++
	return true
}

// Cut ends all connections, as where the server has gone: both sides read the end and cannot write.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.open {
		_ = c.CloseRead()
		_ = c.CloseWrite()
	}
}

// Interrupt cuts all connections and refuses new ones until Mend.
func (n *Network) Interrupt() {
	n.mu.Lock()
	n.interrupted = true
	n.mu.Unlock()
	n.Cut()
}

// InterruptAfter interrupts once so many more bytes were sent to the server.
func (n *Network) InterruptAfter(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bounded, n.left = true, bytes
}

// pass reports whether bytes may be sent to the server, and waits while the network is held.
func (n *Network) pass(bytes int) bool {
	n.mu.Lock()
	for n.held {
		n.changed.Wait()
	}
	n.left -= bytes
	ends := n.bounded && n.left < 0
	n.bounded = n.bounded && !ends
	n.mu.Unlock()
	if ends {
		n.Interrupt()
	}
	return !ends
}

// Mend lets new connections through again.
func (n *Network) Mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.interrupted = false
}

// Hold lets nothing more through to the server, as where that stops reading, until Release.
func (n *Network) Hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = true
}

// Release ends Hold.
func (n *Network) Release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = false
	n.changed.Broadcast()
}

// Open returns how many connections there are.
func (n *Network) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.open)
}

// Opened returns how many connections there have been so far.
func (n *Network) Opened() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.opened
}

// Refused returns how many connections were refused so far.
func (n *Network) Refused() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refused
}

// conn is a connection of a Network.
type conn struct {
	*net.TCPConn
	network *Network
}

// Write waits while the network is held.
func (c *conn) Write(b []byte) (int, error) {
	if !c.network.pass(len(b)) {
		return 0, ErrInterrupted
	}
	return c.TCPConn.Write(b)
}

// Close takes the connection out of the network.
func (c *conn) Close() error {
	c.network.mu.Lock()
	delete(c.network.open, c)
	c.network.mu.Unlock()
	return c.TCPConn.Close()
}

// Proxy listens on an address of this machine and connects who dials it to the target, through the network, until the
// test has ended. It is for clients that take no Dialer.
func (n *Network) Proxy(t testing.TB, target string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { n.serve(near, target) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		n.Release()
		n.Interrupt()
		serving.Wait()
	})
	return listener.Addr().String()
}

func (n *Network) serve(near net.Conn, target string) {
	defer func() { _ = near.Close() }()
	far, err := n.Dial(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	_, _ = io.Copy(writerOnly{far}, readerOnly{near})
	_ = far.Close()
	back.Wait()
}

// These hide the other methods of a connection, with which io.Copy would go past Write.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)
