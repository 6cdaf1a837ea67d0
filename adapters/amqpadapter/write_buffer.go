package amqpadapter

import (
	"net"
	"slices"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/socket"
)

const (
	// writeTimeout is how long the network may take for a piece before the connection counts as lost.
	writeTimeout = 30 * time.Second
	// writePiece is how many bytes that is, which a slow network takes in time.
	writePiece = 64 << 10
	// maxSpare bounds the memory that is kept for what is written next.
	maxSpare = 1 << 20
)

// writeBuffer lets many goroutines write to one connection without a system call each: what comes while one write is
// under way leaves with the next, which is about a fifth more confirmed messages for 16 publishers; so do the
// acknowledgements of tasks that end at about the same time. And a RabbitMQ that has stopped reading, as it does when it
// is short of memory, keeps none of them from heeding its context. What waits here is bounded by maxOutstanding messages,
// and by the acknowledgements of what RabbitMQ has handed out.
type writeBuffer struct {
	net.Conn

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	failure error
	closed  bool
}

// newWriteBuffer starts a goroutine that ends with the connection.
func newWriteBuffer(conn net.Conn) net.Conn {
	b := &writeBuffer{Conn: socket.New(conn)}
	b.changed = sync.NewCond(&b.mu)
	go b.drain()
	return b
}

// Write does not wait. It fails with the error of an earlier one, which the network has reported since.
func (b *writeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failure != nil {
		return 0, b.failure
	}
	if b.closed {
		return 0, net.ErrClosed
	}
	b.pending = append(b.pending, p...)
	b.changed.Signal()
	return len(p), nil
}

// Close lets what was written leave, then closes the connection.
func (b *writeBuffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Signal()
	// A peer that reads nothing must not keep it open.
	return b.Conn.SetDeadline(time.Now().Add(time.Second))
}

func (b *writeBuffer) drain() {
	defer func() { _ = b.Conn.Close() }()
	var spare []byte
	for {
		batch := b.next(spare)
		if batch == nil {
			return
		}
		if err := b.write(batch); err != nil {
			b.fail(err)
			return
		}
		if spare = batch[:0]; cap(spare) > maxSpare {
			spare = nil
		}
	}
}

func (b *writeBuffer) write(batch []byte) error {
	for piece := range slices.Chunk(batch, writePiece) {
		b.extend()
		if _, err := b.Conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// extend gives the next piece its time, unless Close has limited that.
func (b *writeBuffer) extend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		_ = b.SetWriteDeadline(time.Now().Add(writeTimeout)) // where it fails, so does the write
	}
}

// next waits for something to write. It returns nil when nothing will come any more.
func (b *writeBuffer) next(spare []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.pending) == 0 {
		if b.closed {
			return nil
		}
		b.changed.Wait()
	}
	batch := b.pending
	b.pending = spare
	return batch
}

func (b *writeBuffer) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = err
}
