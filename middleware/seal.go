package middleware

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// maxNesting bounds how deep signatures may nest in each other (a chain nests
// each task in the one before). A cycle would never end; encoding/json refuses
// to read objects nested deeper than this, arrays between them included.
const maxNesting = 5_000

// ErrNestedTooDeep is returned for a signature whose callbacks lead back to
// itself, or nest deeper than JSON readers accept.
var ErrNestedTooDeep = errors.New("signatures nest deeper than 5000")

// PrePublish puts the arguments of s, and of the signatures nested in it, in
// envelopes where they need one, and signs it if that is wanted. The signature is
// changed, what it points to is not.
//
// Install does this for every task that is published; PrePublish is for
// signatures that leave in another way. It fits Machinery's pre-publish hook,
// which has no way to return an error: when an argument cannot be sent, one is
// put before the others whose marshalling reports the error, so that the send
// fails with it.
func (m *Middleware) PrePublish(s *tasks.Signature) {
	sealed, err := m.seal(context.Background(), s, vouch)
	if err == nil {
		err = m.sign(sealed)
	}
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

// seal returns a copy of s with every argument in wire form, and labelled so.
// It shares nothing that it changed with s: callbacks may be shared between
// signatures that are published at the same time.
func (m *Middleware) seal(ctx context.Context, s *tasks.Signature, label func(*tasks.Signature)) (*tasks.Signature, error) {
	return (&sealer{m, ctx, label}).seal(s, 0)
}

type sealer struct {
	*Middleware
	ctx   context.Context
	label func(*tasks.Signature)
}

func (m *sealer) seal(s *tasks.Signature, depth int) (*tasks.Signature, error) {
	if s == nil {
		return nil, nil
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("task %q: %w", s.Name, ErrNestedTooDeep)
	}
	sealed := *s
	var err error
	if sealed.Args, err = m.sealArgs(s); err != nil {
		return nil, err
	}
	if sealed.OnSuccess, err = m.sealAll(s.OnSuccess, depth+1); err != nil {
		return nil, err
	}
	if sealed.OnError, err = m.sealAll(s.OnError, depth+1); err != nil {
		return nil, err
	}
	if sealed.ChordCallback, err = m.seal(s.ChordCallback, depth+1); err != nil {
		return nil, err
	}
	m.label(&sealed)
	m.inject(m.ctx, &sealed)
	return &sealed, nil
}

func (m *sealer) sealAll(signatures []*tasks.Signature, depth int) ([]*tasks.Signature, error) {
	if signatures == nil {
		return nil, nil
	}
	sealed := make([]*tasks.Signature, len(signatures))
	for i, s := range signatures {
		var err error
		if sealed[i], err = m.seal(s, depth); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

func (m *sealer) sealArgs(s *tasks.Signature) ([]tasks.Arg, error) {
	args := slices.Clone(s.Args)
	for i, arg := range args {
		if m.travelsAsItIs(s, arg) {
			continue
		}
		value, err := m.valueToPack(arg)
		if err == nil {
			args[i].Type, args[i].Value, err = m.wireValue(m.ctx, s.Name, m.form, value)
		}
		if err != nil {
			return nil, fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), err)
		}
	}
	return args, nil
}

// travelsAsItIs tells whether an argument of s needs no envelope, or is one. One
// that names its type rightly is the caller's own word and stays, so that tasks
// which never heard of envelopes keep getting what they got. A text that looks
// like an envelope, and is none, must go in one.
func (m *sealer) travelsAsItIs(s *tasks.Signature, arg tasks.Arg) bool {
	if text, ok := arg.Value.(string); ok && envelope.Is(text) {
		return m.trusted(s, text)
	}
	return (m.form != allForm || isRetry(s)) && m.declaresItsType(arg)
}

// isRetry tells whether a wrapped task is being published that is being
// processed: its arguments stay as they came.
func isRetry(s *tasks.Signature) bool { return deliveries.of(s) != nil }

// declaresItsType tells whether Machinery carries the argument as it is.
func (m *Middleware) declaresItsType(arg tasks.Arg) bool {
	return isOfItsType(arg) || m.marshalsToItsType(arg)
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

// describe names an argument in an error: by its name, or by its position,
// counted from 1.
func describe(arg tasks.Arg, index int) string {
	if arg.Name != "" {
		return strconv.Quote(arg.Name)
	}
	return strconv.Itoa(index + 1)
}
