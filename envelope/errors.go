package envelope

import (
	"errors"
	"fmt"
	"reflect"
)

// What can go wrong falls under one of these; test for them with errors.Is.
var (
	// ErrMalformed: the text is not a well-formed envelope.
	ErrMalformed = errors.New("malformed envelope")
	// ErrUnregistered: a Go type that has to be registered to be sent is not.
	ErrUnregistered = errors.New("type is not registered")
	// ErrUnknownType: an envelope names a type that is not registered here.
	ErrUnknownType = errors.New("unknown type")
	// ErrUnknownVersion: an envelope carries a version of its type, or of the format, that cannot be read here.
	ErrUnknownVersion = errors.New("unknown version")
	// ErrTypeMismatch: what an envelope holds does not fit the Go type that it is read into.
	ErrTypeMismatch = errors.New("type mismatch")
	// ErrUnsupported: a type or a value cannot be carried exactly.
	ErrUnsupported = errors.New("unsupported")
	// ErrLimit: one of the registry's limits is exceeded; the text names its option.
	ErrLimit = errors.New("limit exceeded")
	// ErrRegistration: a name or an option cannot be used for the type being registered.
	ErrRegistration = errors.New("invalid registration")
)

// An Error says where, in which value, something went wrong. It never shows values: map keys appear as […].
// Err falls under one of the sentinel errors or comes from a function of the application's (a converter, an
// upgrade, a marshaler); errors.Is and errors.As see through to both.
type Error struct {
	// Type is the wire type of the value, or its Go type where it has no wire type.
	Type string
	// Path leads to the fault from there, in Go's terms: .Lines[3].Note
	Path string
	// Err is what is wrong at that place.
	Err error
}

// Error gives the type, the path and the fault: orders.Order.Lines[3].Note: invalid UTF-8
func (e *Error) Error() string {
	place := e.Type + e.Path
	if place == "" {
		return e.Err.Error()
	}
	return place + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// A fault is one thing that is wrong, in words, filed under a sentinel error. Its cause, if there is one, can
// be found by errors.Is and errors.As but is not shown.
type fault struct {
	kind  error
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func faultf(kind error, format string, args ...any) error {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...)}
}

func malformed(text string) error   { return &fault{kind: ErrMalformed, text: text} }
func mismatch(text string) error    { return &fault{kind: ErrTypeMismatch, text: text} }
func unsupported(text string) error { return &fault{kind: ErrUnsupported, text: text} }

// limited says which limit is exceeded, by the option that sets it.
func limited(option string, limit int) error {
	return faultf(ErrLimit, "limit exceeded: %s(%d)", option, limit)
}

func unregisteredInterface(t reflect.Type) error {
	return faultf(ErrUnregistered,
		"interface %s is not registered: call envelope.RegisterInterface[%s](r, \"…\")", t, t)
}

func unregistered(t reflect.Type) error {
	return faultf(ErrUnregistered, "type %s is not registered: call envelope.Register[%s](r, \"…\")", t, t)
}
