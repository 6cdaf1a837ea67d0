package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// progress counts the tours of a group as they are found.
type progress struct {
	mutex sync.Mutex
	shown display
	total int
	found int
	best  int
}

// A display shows how far a group is.
type display interface {
	// show is called for each tour. The best is a length.
	show(found, total, best int, isBest bool)
	// end is called when no other tour will follow.
	end()
}

func newProgress(out io.Writer, total int) *progress {
	if isTerminal(out) {
		return &progress{shown: bar{out}, total: total}
	}
	return &progress{shown: lines{out}, total: total}
}

// isTerminal reports whether out is a terminal, where a line can be written over, and no file or pipe.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p *progress) add(found Found) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	// A task that a broker delivers twice is found twice.
	if p.found == p.total {
		return
	}
	p.found++
	isBest := p.best == 0 || found.Tour.Length < p.best
	if isBest {
		p.best = found.Tour.Length
	}
	p.shown.show(p.found, p.total, p.best, isBest)
}

// end keeps late tours from being shown.
func (p *progress) end() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.found > 0 {
		p.shown.end()
	}
	p.found = p.total
}

// bar is one line of a terminal, written again for each tour.
type bar struct{ io.Writer }

const barWidth = 30

func (b bar) show(found, total, best int, _ bool) {
	full := barWidth * found / total
	fmt.Fprintf(b, "\r  %s%s  %d of %d tours, the best %d long \x1b[K",
		strings.Repeat("█", full), strings.Repeat("░", barWidth-full), found, total, best)
}

func (b bar) end() { fmt.Fprintln(b) }

// lines is for logs: one when a tour is the best so far, and at every quarter of the way.
type lines struct{ io.Writer }

func (l lines) show(found, total, best int, isBest bool) {
	isQuarter := 4*found/total > 4*(found-1)/total
	if isBest || isQuarter {
		fmt.Fprintf(l, "%6d of %d tours, the best %d long\n", found, total, best)
	}
}

func (l lines) end() {}
