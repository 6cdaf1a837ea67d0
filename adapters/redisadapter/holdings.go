package redisadapter

import (
	"maps"
	"sync"
)

// delivery is a message that a consumer has taken.
type delivery struct {
	message string
	// failures is how often a delivery came to nothing, where that makes the message suspect; else 0.
	failures int64
}

// outcome is what became of a delivery.
type outcome int

const (
	processed outcome = iota // it is to be acknowledged
	moved                    // Redis has it elsewhere
	kept                     // it stays among the processing until the consumer leaves
)

// holdings are the messages that a consumer has taken, and the slots to run them in.
type holdings struct {
	mu   sync.Mutex
	free int
	held map[string]int // copies of a message that are running, or done and not acknowledged yet
	done []string       // not acknowledged yet
	// suspect is set while a message runs that may kill the worker: one at a time, so that the blame is clear.
	suspect bool
	// away is set while the fetcher does what may take long. It acknowledges what is done when it fetches.
	away bool

	slotFreed chan struct{} // for the fetcher
	ackDue    chan struct{} // for the keeper, while the fetcher is away
}

func newHoldings(slots int) *holdings {
	return &holdings{
		free:      slots,
		held:      make(map[string]int),
		slotFreed: make(chan struct{}, 1),
		ackDue:    make(chan struct{}, 1),
	}
}

// awaitSlot returns how many messages may be taken, 0 when stopping ends first.
func (h *holdings) awaitSlot(stopping <-chan struct{}) int {
	for {
		select {
		case <-stopping:
			return 0
		default:
		}
		if free := h.freeSlots(); free > 0 {
			return free
		}
		select {
		case <-stopping:
		case <-h.slotFreed:
		}
	}
}

func (h *holdings) freeSlots() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.free
}

// snapshot returns the copies held of each message.
func (h *holdings) snapshot() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.held)
}

func (h *holdings) mayTakeSuspect() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.suspect
}

func (h *holdings) take(d delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free--
	h.held[d.message]++
	h.suspect = h.suspect || d.failures > 0
}

// finish frees the slot of a delivery.
func (h *holdings) finish(d delivery, o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free++
	signal(h.slotFreed)
	if d.failures > 0 {
		h.suspect = false
	}
	switch o {
	case processed:
		h.done = append(h.done, d.message)
		if h.away {
			signal(h.ackDue)
		}
	case moved:
		h.forget(d.message)
	}
}

// forget is called with mu locked.
func (h *holdings) forget(message string) {
	if h.held[message]--; h.held[message] <= 0 {
		delete(h.held, message)
	}
}

// leave and comeBack enclose what keeps the fetcher from acknowledging.
func (h *holdings) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = true
	if len(h.done) > 0 {
		signal(h.ackDue)
	}
}

func (h *holdings) comeBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = false
}

// takeDone hands over what is to be acknowledged. acknowledged or notAcknowledged must follow.
func (h *holdings) takeDone() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	messages := h.done
	h.done = nil
	return messages
}

// takeDoneWhileAway is takeDone for the keeper: what the fetcher is about to acknowledge it leaves alone.
func (h *holdings) takeDoneWhileAway() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.away {
		return nil
	}
	messages := h.done
	h.done = nil
	return messages
}

func (h *holdings) acknowledged(messages []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, message := range messages {
		h.forget(message)
	}
}

func (h *holdings) notAcknowledged(messages []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(messages, h.done...)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
