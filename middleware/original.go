package middleware

import "github.com/RichardKnop/machinery/v2/tasks"

// An original is a signature as it was received, while the worker changes the one that it got: RetryCount, ETA,
// headers, the arguments of callbacks.
type original struct {
	copied  tasks.Signature // without headers
	headers []header
	few     [2]header // holds headers where it has room
}

// A header of a signature. A list of them costs less than the copy of a map, which hardly a task needs.
type header struct {
	name  string
	value any
}

func (o *original) keep(s *tasks.Signature) {
	o.copied = *s
	o.copied.Headers = nil
	if s.Headers != nil {
		o.headers = o.few[:0]
	}
	for name, value := range s.Headers {
		o.headers = append(o.headers, header{name, value})
	}
	o.copied.OnSuccess = copyAll(s.OnSuccess)
	o.copied.OnError = copyAll(s.OnError)
	o.copied.ChordCallback = copyOf(s.ChordCallback)
}

// signature returns what was kept, for one who owns it from then on.
func (o *original) signature() *tasks.Signature {
	if o.headers == nil {
		return &o.copied
	}
	o.copied.Headers = make(tasks.Headers, len(o.headers))
	for _, h := range o.headers {
		o.copied.Headers[h.name] = h.value
	}
	return &o.copied
}

func copyOf(s *tasks.Signature) *tasks.Signature {
	if s == nil {
		return nil
	}
	var o original
	o.keep(s)
	return o.signature()
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
