package amqpadapter_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/require"
)

// wire stands between a broker and RabbitMQ, and can be cut or held up.
type wire struct {
	cnf *config.Config // of RabbitMQ through the wire

	mu     sync.Mutex
	moved  *sync.Cond
	conns  map[net.Conn]bool
	total  int
	refuse bool
	held   bool
}

func proxy(t *testing.T, cnf *config.Config) *wire {
	t.Helper()
	address, err := url.Parse(cnf.Broker)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{conns: make(map[net.Conn]bool)}
	w.moved = sync.NewCond(&w.mu)
	through := *cnf
	target := address.Host
	address.Host = listener.Addr().String()
	through.Broker = address.String()
	w.cnf = &through

	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.serve(near, target) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		w.release()
		w.cut()
		serving.Wait()
	})
	return w
}

func (w *wire) serve(near net.Conn, target string) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if !w.enter(near) {
		return
	}
	defer w.leave(near)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	defer back.Wait()
	defer func() { _ = far.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := near.Read(buffer)
		if err != nil {
			return
		}
		w.pass()
		if _, err := far.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (w *wire) enter(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return false
	}
	w.conns[conn] = true
	w.total++
	return true
}

func (w *wire) leave(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
}

// pass waits while the wire is held.
func (w *wire) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.held {
		w.moved.Wait()
	}
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// interrupt cuts the wire and refuses new connections until it is mended.
func (w *wire) interrupt() {
	w.mu.Lock()
	w.refuse = true
	w.mu.Unlock()
	w.cut()
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = false
}

// hold lets nothing more through to RabbitMQ, as when that stops reading.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = true
}

func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = false
	w.moved.Broadcast()
}

func (w *wire) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

func (w *wire) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}
