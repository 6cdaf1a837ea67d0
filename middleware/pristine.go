package middleware

import (
	"github.com/RichardKnop/machinery/v2/tasks"
)

// A pristine is a signature as it was received, while the worker changes the
// one that it got: RetryCount, ETA, headers, the arguments of callbacks.
type pristine struct {
	copied  tasks.Signature // without headers
	headers []header
	few     [2]header // holds headers where it has room
}

// A header of a signature. A list of them costs less than the copy of a map, which
// hardly a task needs.
type header struct {
	name  string
	value any
}

func (p *pristine) keep(s *tasks.Signature) {
	p.copied = *s
	p.copied.Headers = nil
	if s.Headers != nil {
		p.headers = p.few[:0]
	}
	for name, value := range s.Headers {
		p.headers = append(p.headers, header{name, value})
	}
	p.copied.OnSuccess = copyAll(s.OnSuccess)
	p.copied.OnError = copyAll(s.OnError)
	p.copied.ChordCallback = copyOf(s.ChordCallback)
}

// signature returns what was kept, for one who owns it from then on.
func (p *pristine) signature() *tasks.Signature {
	if p.headers == nil {
		return &p.copied
	}
	p.copied.Headers = make(tasks.Headers, len(p.headers))
	for _, h := range p.headers {
		p.copied.Headers[h.name] = h.value
	}
	return &p.copied
}

func copyOf(s *tasks.Signature) *tasks.Signature {
	if s == nil {
		return nil
	}
	var p pristine
	p.keep(s)
	return p.signature()
}

func copyAll(signatures []*tasks.Signature) []*tasks.Signature {
	if signatures == nil {
		return nil
	}
	copied := make([]*tasks.Signature, len(signatures))
	for i, s := range signatures {
		copied[i] = copyOf(s)
	}
	return copied
}
