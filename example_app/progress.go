package main

import (
	"fmt"
	"io"
	"sync"
)

// progress counts the tours that the workers find. It counts them here, in the process of the workers: results
// on RabbitMQ can be read only once, and the chord's callback needs them.
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
