package amqpadapter

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
)

// messageIDPrefix begins the message ids of this package.
const messageIDPrefix = "envelope-"

// messageIDs are those of one channel. A message that is returned to its sender, or that comes a second time, is told
// by its id. They are short, which RabbitMQ is faster with. No two of a channel are the same; those of two channels
// hardly ever are, and a message that comes a second time is told by its body and its time too.
type messageIDs struct{ last atomic.Uint64 }

func newMessageIDs() *messageIDs {
	ids := new(messageIDs)
	ids.last.Store(rand.Uint64N(1 << 40))
	return ids
}

func (ids *messageIDs) next() string {
	var buffer [64]byte
	return string(strconv.AppendUint(append(buffer[:0], messageIDPrefix...), ids.last.Add(1), 36))
}

// isMessageID reports whether an id is one of this package. Others may set the same one time and again.
func isMessageID(id string) bool { return strings.HasPrefix(id, messageIDPrefix) }
