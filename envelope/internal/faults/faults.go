package faults

import (
	"errors"
	"fmt"
)

// The kinds of faults that reading and writing JSON text can find. Package envelope exports them under the same names.
var (
	ErrMalformed    = errors.New("malformed envelope")
	ErrTypeMismatch = errors.New("type mismatch")
	ErrUnsupported  = errors.New("unsupported")
	ErrLimit        = errors.New("limit exceeded")
)

// A Fault is one thing that is wrong. Its text is shown; it never quotes a value.
type Fault struct {
	// Kind is the sentinel error that the fault falls under.
	Kind error
	Text string
	// Cause can be found by errors.Is and errors.As but is not shown. It may be nil.
	Cause error
}

// Error returns the text.
func (f *Fault) Error() string { return f.Text }

// Unwrap returns the kind and, if there is one, the cause.
func (f *Fault) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Cause}
}

// Newf returns a fault of the given kind with a formatted text.
func Newf(kind error, format string, args ...any) error {
	return &Fault{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// Malformed returns a fault of the kind ErrMalformed.
func Malformed(text string) error { return &Fault{Kind: ErrMalformed, Text: text} }

// Mismatch returns a fault of the kind ErrTypeMismatch.
func Mismatch(text string) error { return &Fault{Kind: ErrTypeMismatch, Text: text} }

// Unsupported returns a fault of the kind ErrUnsupported.
func Unsupported(text string) error { return &Fault{Kind: ErrUnsupported, Text: text} }

// Limited returns a fault of the kind ErrLimit. It names the field of envelope.Limits that sets the limit, and its
// value.
func Limited[N int | int64](field string, limit N) error {
	return Newf(ErrLimit, "limit exceeded: %s is %d, see envelope.WithLimits", field, limit)
}
