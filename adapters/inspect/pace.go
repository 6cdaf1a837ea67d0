package inspect

import "time"

const (
	// callInterval is for how long a source that does not count its commands is left alone for each question of its
	// monitor: however many look, it gets no more than one in this time, beside those of pages that are opened.
	callInterval = 500 * time.Millisecond
	// commandInterval is the same for each command of a source that counts them, whoever had it sent.
	commandInterval = 300 * time.Millisecond
	// longestRest bounds how long a source is left alone, however much it was asked.
	longestRest = 2 * time.Minute
)

// A CommandCounter is a Source that knows what it costs. A Handler leaves it alone for 300 ms for each command that it has
// sent since the last time, those for pages that were opened too, and another Source for 500 ms for each question that
// live updates took; both for at least 2 s and at most two minutes.
type CommandCounter interface {
	// Commands returns how many commands the source has sent to its server. It only grows.
	Commands() int64
}

// A pace says for how long a source is left alone.
type pace struct {
	counter CommandCounter // nil where the source does not count
	counted int64
}

func paceOf(source Source) *pace {
	p := &pace{}
	if p.counter, _ = source.(CommandCounter); p.counter != nil {
		p.counted = p.counter.Commands()
	}
	return p
}

// rest returns for how long the source is to be left alone after a number of questions.
func (p *pace) rest(calls int) time.Duration {
	if p.counter == nil {
		return min(longestRest, time.Duration(calls)*callInterval)
	}
	before := p.counted
	p.counted = p.counter.Commands()
	return min(longestRest, time.Duration(p.counted-before)*commandInterval)
}
