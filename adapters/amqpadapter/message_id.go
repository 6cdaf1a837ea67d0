package amqpadapter

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync/atomic"
)

// messageIDPrefix begins the message ids of this package, which no two messages share.
const messageIDPrefix = "envelope-"

// messageIDs are those of one channel. A message that is returned to its sender, or that comes a second time, is told
// by its id.
type messageIDs struct {
	prefix string
	last   atomic.Uint64
}

func newMessageIDs() *messageIDs {
	return &messageIDs{prefix: messageIDPrefix + rand.Text()[:16] + "-"} // 80 random bits
}

func (ids *messageIDs) next() string {
	var buffer [64]byte
	return string(strconv.AppendUint(append(buffer[:0], ids.prefix...), ids.last.Add(1), 36))
}

// isMessageID reports whether an id is one of this package. Others may set the same one time and again.
func isMessageID(id string) bool { return strings.HasPrefix(id, messageIDPrefix) }
