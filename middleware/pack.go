package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/sign"
)

// maxNesting bounds how deep signatures may nest in each other (a chain nests each task in the one before). A cycle
// would never end; encoding/json refuses to read objects nested deeper than this, arrays between them included.
const maxNesting = 5_000

// ErrNestedTooDeep is returned for a signature whose callbacks lead back to itself, or nest deeper than JSON readers
// accept.
var ErrNestedTooDeep = errors.New("signatures nest deeper than 5000")

// PrePublish puts the arguments of s, and of the signatures nested in it, in envelopes where they need one, and signs
// it if that is wanted. The signature is changed, what it points to is not.
//
// Install does this for every task that is published; PrePublish is for signatures that leave in another way. It fits
// Machinery's pre-publish hook, which has no way to return an error: when an argument cannot be sent, one is put before
// the others whose marshalling reports the error, so that the send fails with it.
func (m *Middleware) PrePublish(s *tasks.Signature) {
	packed, err := m.packSignature(context.Background(), s, markTrusted)
	if err == nil {
		err = m.signing.sign(m.broker, packed, time.Now())
	}
	if err != nil {
		s.Args = append([]tasks.Arg{{Type: "string", Value: unsendable{err}}}, s.Args...)
		return
	}
	*s = *packed
}

// unsendable makes the publish of a signature fail with its error.
type unsendable struct{ err error }

// MarshalJSON returns the error.
func (u unsendable) MarshalJSON() ([]byte, error) { return nil, u.err }

// packSignature returns a copy of s with every argument as it travels, and labelled so. It shares nothing that it
// changed with s, and no map of headers: callbacks may be shared between signatures that are published at the same time.
func (m *Middleware) packSignature(ctx context.Context, s *tasks.Signature, label func(*tasks.Signature)) (*tasks.Signature, error) {
	if err := m.values.registry.Err(); err != nil {
		return nil, fmt.Errorf("task %q: %w", s.Name, err)
	}
	p := signaturePacker{values: m.values, scope: m.scope, propagator: m.propagator, ctx: ctx, label: label}
	return p.pack(s, 0)
}

type signaturePacker struct {
	values     *packer
	scope      scope
	propagator Propagator
	ctx        context.Context
	label      func(*tasks.Signature)
	packed     int
}

func (p *signaturePacker) pack(s *tasks.Signature, depth int) (*tasks.Signature, error) {
	if s == nil {
		return nil, nil
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("task %q: %w", s.Name, ErrNestedTooDeep)
	}
	if p.packed++; p.packed > 1+MaxNestedTasks {
		return nil, tooManyNested(s)
	}
	packed := *s
	packed.Headers = maps.Clone(s.Headers) // once, whatever sets one from here on
	packed.ETA = inWholeMinutes(s.ETA)
	var err error
	if packed.Args, err = p.packArgs(s); err != nil {
		return nil, err
	}
	if packed.OnSuccess, err = p.packAll(s.OnSuccess, depth+1); err != nil {
		return nil, err
	}
	if packed.OnError, err = p.packAll(s.OnError, depth+1); err != nil {
		return nil, err
	}
	if packed.ChordCallback, err = p.pack(s.ChordCallback, depth+1); err != nil {
		return nil, err
	}
	p.label(&packed)
	inject(p.ctx, p.propagator, &packed)
	return &packed, nil
}

// inWholeMinutes returns a time in UTC if its offset has seconds: JSON leaves those out, so that it would be another time.
func inWholeMinutes(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	if _, offset := t.Zone(); offset%60 == 0 {
		return t
	}
	utc := t.UTC()
	return &utc
}

func (p *signaturePacker) packAll(signatures []*tasks.Signature, depth int) ([]*tasks.Signature, error) {
	if signatures == nil {
		return nil, nil
	}
	packed := make([]*tasks.Signature, len(signatures))
	for i, s := range signatures {
		var err error
		if packed[i], err = p.pack(s, depth); err != nil {
			return nil, err
		}
	}
	return packed, nil
}

func (p *signaturePacker) packArgs(s *tasks.Signature) ([]tasks.Arg, error) {
	args := slices.Clone(s.Args)
	d := deliveries.of(s) // not nil for a retry
	var known trust
	known.read(s)
	for i, arg := range args {
		if d.wasOpened(i) {
			args[i] = d.original.copied.Args[i]
			continue
		}
		if p.travelsAsItIs(d, &known, arg) {
			continue
		}
		packed, err := p.packArg(s, arg)
		if err == nil {
			args[i] = packed
		} else if !p.isPlainResult(s, arg) {
			return nil, fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), err)
		}
	}
	return args, nil
}

func (p *signaturePacker) packArg(s *tasks.Signature, arg tasks.Arg) (tasks.Arg, error) {
	if err := checkStruct(arg); err != nil {
		return arg, err
	}
	value, err := p.valueToPack(arg)
	if err == nil {
		p.values.noteZero(s.Name, value)
		arg.Type, arg.Value, err = p.values.asSent(p.ctx, s.Name, p.scope, value)
	}
	return arg, err
}

// travelsAsItIs reports whether an argument needs no envelope, or is one. One that names a type of Machinery's own stays
// as Machinery would send it, so that tasks which never heard of envelopes get what they always got. A text that looks
// like an envelope, and is none, must go in one. d is the delivery of the signature, or nil.
func (p *signaturePacker) travelsAsItIs(d *delivery, known *trust, arg tasks.Arg) bool {
	if text, ok := arg.Value.(string); ok && envelope.Is(text) && !native.IsButString(arg.Type) {
		return known.holds(text)
	}
	staysNative := p.scope != scopeAll || d != nil && d.task != nil // the arguments of a wrapped task stay as they came
	return staysNative && p.values.declaresItsType(arg) && !writesEnvelope(arg)
}

// valueToPack returns the value of an argument that is going to travel in an envelope. One that names a native type
// becomes what its task would get from Machinery.
func (p *signaturePacker) valueToPack(arg tasks.Arg) (any, error) {
	if !p.values.declaresItsType(arg) || reflect.TypeOf(arg.Value) == native.Type(arg.Type) {
		return arg.Value, nil
	}
	read, err := sign.ReadBack(arg.Value)
	if err != nil {
		return nil, err
	}
	value, err := native.Parse(tasks.Arg{Type: arg.Type, Value: read})
	if err != nil {
		return nil, err
	}
	return value.Interface(), nil
}

// describe names an argument in an error: by its name, or by its position, counted from 1.
func describe(arg tasks.Arg, index int) string {
	if arg.Name != "" {
		return strconv.Quote(arg.Name)
	}
	return strconv.Itoa(index + 1)
}
