package main

import (
	"fmt"
	"io"
	"sync"
)

// progress counts the tours where they are found, in the process of the workers. To ask for the results of the group
// would not do: RabbitMQ hands each out once, and waiting for the chord takes them.
type progress struct {
	mutex sync.Mutex
	out   io.Writer
	total int
	found int
	best  int
}

// add writes a line when a tour is the best so far, and at every quarter of the way.
func (p *progress) add(tour Tour) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	// RabbitMQ may deliver a task twice.
	if p.found == p.total {
		return
	}

	p.found++
	isBest := p.best == 0 || tour.Length < p.best
	if isBest {
		p.best = tour.Length
	}
	isQuarter := 4*p.found/p.total > 4*(p.found-1)/p.total
	if isBest || isQuarter {
		fmt.Fprintf(p.out, "%12d of %d tours, the best %d long\n", p.found, p.total, p.best)
	}
}

// end keeps late tours from writing.
func (p *progress) end() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.found = p.total
}
