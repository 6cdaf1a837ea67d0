package redisadapter

import (
	"cmp"
	"slices"
	"sync"
)

// slots are where a worker runs its tasks. The queues that it takes them from share them.
type slots struct {
	mu      sync.Mutex
	size    int // of all slots
	free    int
	ahead   int // freed ahead: see freeAhead
	shares  []*share
	changed chan struct{} // closed at the next change; nil where nobody waits for one
}

// share is what a queue, or a shard of one, has of the slots. Its fetcher reserves some, and begins messages in them.
type share struct {
	slots *slots
	queue *sharedQueue
	place int
	// served is the messages that the shard had, and those that it missed while it had none and others of its queue did.
	served   int
	reserved int
	// away is set while there are no messages, or the fetcher must not take any: then others have the slots.
	away bool
}

// sharedQueue is what the shards of a queue have in common. Slots go to queues first, and to a queue's shards then, so
// that a queue gets as many messages whether one of its shards has them or all.
type sharedQueue struct {
	// Queues of a lower rank come first. weight is how many messages the queue gets while others of its rank get theirs.
	rank   int
	weight float64
	place  int
	// served is the messages that the queue had, by weight, and with those that it missed while there were none.
	served float64
	// present counts the shards that are not away.
	present int
}

func newSlots(free int, queues []queueShare) *slots {
	s, shared := &slots{size: free, free: free}, make(map[string]*sharedQueue)
	for i, queue := range queues {
		of := shared[queue.shardOf]
		if of == nil || queue.shardOf == "" {
			of = &sharedQueue{rank: queue.rank, weight: queue.weight, place: i}
			shared[queue.shardOf] = of
		}
		of.present++
		s.shares = append(s.shares, &share{slots: s, queue: of, place: i})
	}
	return s
}

// reserve returns how many messages may be taken, 0 when stopping ends first. What was reserved before is given back.
func (s *share) reserve(stopping <-chan struct{}) int {
	s.giveBack()
	for {
		select {
		case <-stopping:
			return 0
		default:
		}
		reserved, changed := s.tryReserve(s.portion)
		if reserved > 0 {
			return reserved
		}
		select {
		case <-stopping:
		case <-changed:
		}
	}
}

// reserveOne is for a message that has come already. It reports whether there is a slot for it.
func (s *share) reserveOne() bool {
	reserved, _ := s.tryReserve(func() int { return 1 })
	return reserved > 0
}

// tryReserve reserves so many slots, or returns what is closed when it may be tried again.
func (s *share) tryReserve(portion func() int) (reserved int, changed <-chan struct{}) {
	all := s.slots
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.free > 0 && s.isNext() {
		s.reserved = portion()
		all.free -= s.reserved
		return s.reserved, nil
	}
	if all.changed == nil {
		all.changed = make(chan struct{})
	}
	return 0, all.changed
}

// isNext reports whether no other that may have messages comes before this one. It is called with mu locked.
func (s *share) isNext() bool {
	for _, other := range s.slots.shares {
		if !other.away && byTurn(other, s) < 0 {
			return false
		}
	}
	return true
}

// byTurn compares shares by whose turn is first: the queue's by rank and by what it had, the shard's by what it had.
func byTurn(a, b *share) int {
	return cmp.Or(
		cmp.Compare(a.queue.rank, b.queue.rank),
		cmp.Compare(a.queue.served, b.queue.served),
		cmp.Compare(a.queue.place, b.queue.place),
		cmp.Compare(a.served, b.served),
		cmp.Compare(a.place, b.place),
	)
}

// portion is how many of the free slots the share gets by weight, so that tasks that take long do not fill all slots. It
// is called with mu locked.
func (s *share) portion() int {
	weights := 0.0
	for _, other := range s.slots.shares {
		if !other.away && other.queue.rank == s.queue.rank {
			weights += other.part()
		}
	}
	return max(1, int(float64(s.slots.free)*(s.part()/weights)))
}

// part is what the shard, which is not away, has of the weight of its queue. It is called with mu locked.
func (s *share) part() float64 { return s.queue.weight / float64(s.queue.present) }

// take uses a slot that was reserved.
func (s *share) take() *slot {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	s.reserved--
	s.served++
	s.queue.served += 1 / s.queue.weight
	return &slot{all: s.slots}
}

// A slot is one that a task runs in.
type slot struct {
	all   *slots
	freed bool
}

// freeAhead frees the slot of a task of which nothing is left but to write how it has ended, so that another one can
// begin meanwhile. As many as there are slots, less one, may be so at a time: who has one slot has tasks run one after
// the other. What comes when there are is left to finish.
func (s *slot) freeAhead() {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.freed || s.all.ahead == s.all.size-1 {
		return
	}
	s.freed = true
	s.all.ahead++
	s.all.free++
	s.all.change()
}

// finish frees the slot when nothing is left to do for its task.
func (s *slot) finish() {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.freed {
		s.all.ahead--
		return
	}
	s.freed = true
	s.all.free++
	s.all.change()
}

func (s *share) giveBack() {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	s.giveBackLocked()
}

// giveBackLocked is called with mu locked.
func (s *share) giveBackLocked() {
	s.slots.free += s.reserved
	s.reserved = 0
	s.slots.change()
}

// leave and comeBack enclose what keeps the fetcher from taking messages.
func (s *share) leave() {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	s.giveBackLocked()
	if !s.away {
		s.away = true
		s.queue.present--
	}
}

// comeBack does not let a queue or a shard make up for what it did not have.
func (s *share) comeBack() {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	if !s.away {
		return
	}
	var shards peers[int]
	var queues peers[float64]
	for _, other := range s.slots.shares {
		switch {
		case other.queue == s.queue && other != s:
			shards.add(other.served, other.away)
		case other.queue != s.queue && other.queue.rank == s.queue.rank:
			queues.add(other.queue.served, other.away)
		}
	}
	s.served = shards.atLeast(s.served)
	if s.queue.present == 0 {
		s.queue.served = queues.atLeast(s.queue.served)
	}
	s.away = false
	s.queue.present++
}

// peers are what others have had that share the slots with one that comes back.
type peers[N cmp.Ordered] struct{ present, away []N }

func (p *peers[N]) add(served N, away bool) {
	if away {
		p.away = append(p.away, served)
		return
	}
	p.present = append(p.present, served)
}

// atLeast returns what one that had served counts as having had: no less than all who are there, and where none is,
// no less than anyone, as it would have its turns before all who come back after it.
func (p *peers[N]) atLeast(served N) N {
	if len(p.present) > 0 {
		return max(served, slices.Min(p.present))
	}
	return slices.Max(append(p.away, served))
}

// change is called with mu locked.
func (s *slots) change() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
