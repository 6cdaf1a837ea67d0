package middleware

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// FormatHeader is set on every signature that has envelopes among its
// arguments. Its value is the version of the envelope format, as a string. A
// signature that has it is not sealed a second time, so a retry publishes what
// came, byte for byte.
const FormatHeader = "envelope-format"

const formatVersion = "1"

// maxNesting bounds how deep signatures may nest in each other (a chain nests
// each task in the one before). A cycle would never end; encoding/json refuses
// to read objects nested deeper than this, arrays between them included.
const maxNesting = 5_000

// ErrNestedTooDeep is returned for a signature whose callbacks lead back to
// itself, or nest deeper than JSON readers accept.
var ErrNestedTooDeep = errors.New("signatures nest deeper than 5000")

// PrePublish puts the arguments of s, and of the signatures nested in it, in
// envelopes where they need one. The signature is changed, what it points to
// is not.
//
// Install does this for every task that is published; PrePublish is for
// signatures that leave in another way. It fits Machinery's pre-publish hook,
// which has no way to return an error: when an argument cannot be sent, one is
// put before the others whose marshalling reports the error, so that the send
// fails with it.
func (m *Middleware) PrePublish(s *tasks.Signature) {
	sealed, err := m.seal(context.Background(), s)
	if err != nil {
		s.Args = append([]tasks.Arg{{Type: "string", Value: unsendable{err}}}, s.Args...)
		return
	}
	*s = *sealed
}

// unsendable makes the publish of a signature fail with its error.
type unsendable struct{ err error }

// MarshalJSON returns the error.
func (u unsendable) MarshalJSON() ([]byte, error) { return nil, u.err }

// seal returns s with every argument in wire form: s itself when all of them
// are, otherwise a copy that shares nothing that it changed with s. Callbacks
// may be shared between signatures that are published at the same time.
func (m *Middleware) seal(ctx context.Context, s *tasks.Signature) (*tasks.Signature, error) {
	return m.sealNested(ctx, s, 0)
}

func (m *Middleware) sealNested(ctx context.Context, s *tasks.Signature, depth int) (*tasks.Signature, error) {
	if s == nil {
		return nil, nil
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("task %q: %w", s.Name, ErrNestedTooDeep)
	}
	sealed := *s
	var err error
	if sealed.Args, err = m.sealArgs(ctx, s); err != nil {
		return nil, err
	}
	if sealed.OnSuccess, err = m.sealAll(ctx, s.OnSuccess, depth+1); err != nil {
		return nil, err
	}
	if sealed.OnError, err = m.sealAll(ctx, s.OnError, depth+1); err != nil {
		return nil, err
	}
	if sealed.ChordCallback, err = m.sealNested(ctx, s.ChordCallback, depth+1); err != nil {
		return nil, err
	}
	if !isSealed(s) && hasEnvelope(sealed.Args) {
		sealed.Headers = maps.Clone(s.Headers)
		markSealed(&sealed)
	}
	return &sealed, nil
}

func (m *Middleware) sealAll(ctx context.Context, signatures []*tasks.Signature, depth int) ([]*tasks.Signature, error) {
	if signatures == nil {
		return nil, nil
	}
	sealed := make([]*tasks.Signature, len(signatures))
	for i, s := range signatures {
		var err error
		if sealed[i], err = m.sealNested(ctx, s, depth); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

func (m *Middleware) sealArgs(ctx context.Context, s *tasks.Signature) ([]tasks.Arg, error) {
	args := s.Args
	for i, arg := range s.Args {
		if m.travelsAsItIs(arg, isSealed(s)) {
			continue
		}
		typeName, value, err := m.wireValue(ctx, arg.Value)
		if err != nil {
			return nil, fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), err)
		}
		if &args[0] == &s.Args[0] {
			args = slices.Clone(s.Args)
		}
		args[i] = tasks.Arg{Name: arg.Name, Type: typeName, Value: value}
	}
	return args, nil
}

// travelsAsItIs tells whether Machinery carries the argument, and the receiver
// takes it for what it is. An argument that names its type rightly is the
// caller's own word and stays, so that tasks which never heard of envelopes
// keep getting what they got.
func (m *Middleware) travelsAsItIs(arg tasks.Arg, sealed bool) bool {
	if text, ok := arg.Value.(string); ok && arg.Type == "string" {
		return sealed || !envelope.Is(text)
	}
	return declaresItsType(arg) || m.marshalsToItsType(arg)
}

// marshalsToItsType tells whether an argument that names a native type has a
// value that writes itself as JSON, such as a time.Time sent as a string: that
// always worked for plain tasks. Registered types travel in envelopes.
func (m *Middleware) marshalsToItsType(arg tasks.Arg) bool {
	if nativeTypes[arg.Type] == nil || arg.Value == nil || m.registry.IsRegistered(reflect.TypeOf(arg.Value)) {
		return false
	}
	switch arg.Value.(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	default:
		return false
	}
}

func hasEnvelope(args []tasks.Arg) bool {
	return slices.ContainsFunc(args, func(arg tasks.Arg) bool {
		text, ok := arg.Value.(string)
		return ok && envelope.Is(text)
	})
}

func isSealed(s *tasks.Signature) bool {
	_, ok := s.Headers[FormatHeader]
	return ok
}

func markSealed(s *tasks.Signature) {
	if s.Headers == nil {
		s.Headers = tasks.Headers{}
	}
	s.Headers[FormatHeader] = formatVersion
}

// describe names an argument in an error: by its name, or by its position,
// counted from 1.
func describe(arg tasks.Arg, index int) string {
	if arg.Name != "" {
		return strconv.Quote(arg.Name)
	}
	return strconv.Itoa(index + 1)
}
