package amqpadapter

import (
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/socket"
)

// Nothing drains the buffers here.
func TestWriteOfOneWhoIsAloneLeavesAtOnceUnlessOthersAreBeforeIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*writeBuffer)
		pending string
	}{
		"alone":             {func(b *writeBuffer) { b.alone.Store(true) }, ""},
		"not alone":         {func(*writeBuffer) {}, "new"},
		"behind a write":    {func(b *writeBuffer) { b.alone.Store(true); b.writing = true }, "new"},
		"behind what waits": {func(b *writeBuffer) { b.alone.Store(true); b.pending = []byte("old") }, "oldnew"},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := connectTCP(t)
			b := &writeBuffer{Conn: socket.New(near)}
			b.changed = sync.NewCond(&b.mu)
			c.prepare(b)
			n, err := b.Write([]byte("new"))
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, c.pending, string(b.pending))
			require.NoError(t, near.Close())
			left, err := io.ReadAll(far)
			require.NoError(t, err)
			require.Equal(t, c.pending == "", string(left) == "new", "%q has left", left)
		})
	}
}
