package redisadapter

import (
	"sync"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	// maxRemembered is of how many tasks a source remembers where it has listed them.
	maxRemembered = 10_000
	// maxListedUUID is how long a UUID may be for that, in bytes: it comes from a message.
	maxListedUUID = 256
	// listedBefore and listedAfter say how far from there it looks for the task, before it looks everywhere.
	listedBefore, listedAfter = 256, 768
)

// listedTasks remember where tasks were listed last: who has seen a task in a list is likely to ask for it, or to delete it.
type listedTasks struct {
	mu     sync.Mutex
	byUUID map[string]listedAt
	uuids  []string // in the order of noting; the oldest is at next once there are maxRemembered
	next   int
}

// A listedAt is a position in a place: in a list from its end.
type listedAt struct {
	place    place
	position int
}

// note remembers a message that was read from its place's head, where the place had so many.
func (h *listedTasks) note(uuid string, e entry, length int) {
	state := e.place.state
	if uuid == "" || len(uuid) > maxListedUUID || state != inspect.Waiting && state != inspect.Delayed || e.place.claimed {
		return
	}
	at := listedAt{*e.place, e.position}
	if at.place.scores == none {
		at.position = length - 1 - e.position
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byUUID == nil {
		h.byUUID = make(map[string]listedAt)
	}
	if _, known := h.byUUID[uuid]; !known {
		h.makeRoom(uuid)
	}
	h.byUUID[uuid] = at
}

// makeRoom forgets the oldest where there are too many. It is called with mu locked.
func (h *listedTasks) makeRoom(uuid string) {
	if len(h.uuids) < maxRemembered {
		h.uuids = append(h.uuids, uuid)
		return
	}
	delete(h.byUUID, h.uuids[h.next])
	h.uuids[h.next] = uuid
	h.next = (h.next + 1) % maxRemembered
}

func (h *listedTasks) of(uuid string) (listedAt, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, known := h.byUUID[uuid]
	return at, known
}
