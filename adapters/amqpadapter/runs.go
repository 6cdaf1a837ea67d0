package amqpadapter

import (
	"crypto/sha256"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxSettled bounds the messages that a broker remembers.
const maxSettled = 4096

// A runKey tells a message that comes again: RabbitMQ gives each delivery another tag. Who sends a task twice may send
// the same body twice.
type runKey struct {
	queue   string // copies of a message may be in others
	message string
	sent    int64 // in seconds
	body    [sha256.Size]byte
}

// A received message is a delivery and what tells it when it comes again.
type received struct {
	amqp.Delivery
	key     runKey
	session *session // nil where a forwarder has it
}

func receivedFrom(queue string, d amqp.Delivery) received {
	return received{Delivery: d, key: runKey{queue, d.MessageId, d.Timestamp.Unix(), sha256.Sum256(d.Body)}}
}

// isUnique reports whether no other message has the key. Other senders than those of this package may send a task
// twice that is the same byte by byte.
func (key runKey) isUnique() bool { return isMessageID(key.message) }

// runs are the messages that a broker deals with at present, and the latest that it has dealt with, whose
// acknowledgements may be lost with their connection. RabbitMQ closes the channel of a task that takes longer than its
// consumer_timeout too, and delivers all messages of the channel again: their tasks must not run beside themselves, nor
// once more.
type runs struct {
	mu      sync.Mutex
	current map[runKey]*run
	settled map[runKey]bool
	order   []runKey // of settled, the oldest first
}

// A run is that of one key. More than one message may have it.
type run struct {
	messages int
	ended    chan struct{}
}

func newRuns() *runs { return &runs{current: make(map[runKey]*run), settled: make(map[runKey]bool)} }

// begin notes that a message is dealt with. The function that it returns must be called at the end.
func (all *runs) begin(key runKey) (end func()) {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.current[key]
	if r == nil {
		r = &run{ended: make(chan struct{})}
		all.current[key] = r
	}
	r.messages++
	return func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if r.messages--; r.messages == 0 {
			delete(all.current, key)
			close(r.ended)
		}
	}
}

// running returns a channel that is closed when no message of the key is dealt with any more; nil where none is.
func (all *runs) running(key runKey) <-chan struct{} {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r := all.current[key]; r != nil {
		return r.ended
	}
	return nil
}

// remember notes a message that was dealt with.
func (all *runs) remember(key runKey) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.settled[key] {
		return
	}
	all.settled[key] = true
	all.order = append(all.order, key)
	if len(all.order) > maxSettled {
		delete(all.settled, all.order[0])
		all.order = all.order[1:]
	}
}

// takeSettled reports whether nothing is left to do for a message that comes again. Where another may have the same key
// only one is told so: the other may be one that was not dealt with.
func (all *runs) takeSettled(key runKey) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	settled := all.settled[key]
	if !key.isUnique() {
		all.forgetLocked(key)
	}
	return settled
}

func (all *runs) forget(key runKey) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.forgetLocked(key)
}

func (all *runs) forgetLocked(key runKey) {
	if !all.settled[key] {
		return
	}
	delete(all.settled, key)
	all.order = slices.DeleteFunc(all.order, func(k runKey) bool { return k == key })
}
