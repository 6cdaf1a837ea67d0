package envelope

import (
	"errors"
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// What can go wrong falls under one of these; test for them with errors.Is.
var (
	// ErrMalformed: the text is not a well-formed envelope.
	ErrMalformed = faults.ErrMalformed
	// ErrUnregistered: a Go type that has to be registered to be sent is not.
	ErrUnregistered = errors.New("type is not registered")
	// ErrUnknownType: an envelope names a type that is not registered here.
	ErrUnknownType = errors.New("unknown type")
	// ErrUnknownVersion: an envelope carries a version of its type, or of the format, that cannot be read here.
	ErrUnknownVersion = errors.New("unknown version")
	// ErrUnknownCodec: an envelope is written in a codec that its type is not registered with here. It is an
	// ErrUnsupported.
	ErrUnknownCodec = fmt.Errorf("unknown codec: %w", ErrUnsupported)
	// ErrTypeMismatch: what an envelope holds does not fit the Go type that it is read into.
	ErrTypeMismatch = faults.ErrTypeMismatch
	// ErrUnsupported: a type or a value cannot be carried exactly.
	ErrUnsupported = faults.ErrUnsupported
	// ErrLimit: one of the registry's [Limits] is exceeded; the text names its field.
	ErrLimit = faults.ErrLimit
	// ErrRegistration: a name or an option cannot be used for the type being registered.
	ErrRegistration = errors.New("invalid registration")
)

// An Error says where, in which value, something went wrong. It never shows values: map keys appear as […]. Err falls
// under one of the sentinel errors or comes from a function of the application's (a converter, an upgrade, a
// marshaler); errors.Is and errors.As see through to both.
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
