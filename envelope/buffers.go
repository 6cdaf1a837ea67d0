package envelope

import (
	"sync"
)

// Buffers are two: what one step has written to one of them the next step reads, and writes to the other.
type buffers struct {
	pair [2][]byte
	next int
	data []byte
}

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

// release keeps the buffers for the next call, unless they have grown too large.
func (b *buffers) release() {
	for i, buf := range b.pair {
		if cap(buf) > keptBuffer {
			b.pair[i] = nil
		}
	}
	bufferPool.Put(b)
}

// free returns the buffer that nothing is in.
func (b *buffers) free() []byte { return b.pair[b.next][:0] }

// keep notes that the free buffer, which may have grown, has something in it now.
func (b *buffers) keep(buf []byte) []byte {
	b.pair[b.next] = buf
	b.next = 1 - b.next
	return buf
}

// associatedData returns that of a header. It is overwritten by the next call.
func (b *buffers) associatedData(h *header) []byte {
	b.data = h.associatedData(b.data[:0])
	return b.data
}
