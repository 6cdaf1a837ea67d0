package envelope

import (
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// Verified makes [Registry.Marshal] read back what was written for a value of the type being registered, wherever it
// stands (together with those of the same type that it holds), and return ErrUnsupported if it would not arrive as it
// was sent. It is for types whose marshalers, codec or converter may lose something, such as fractions of a second.
// Values are equal as in the package's rules: by reflect.DeepEqual, times by instant and offset, big numbers by Cmp;
// see [VerifiedBy]. It about doubles the time that sending takes.
//
// Without it, what marshalers and [AsJSON] wrote is read back too, but not compared: only what could not be read is an
// error.
func Verified() TypeOption {
	return func(r *registration) error {
		r.equal = isEqual
		return nil
	}
}

// VerifiedBy is [Verified] with a function that reports whether the value that would arrive equals the one that is
// sent. Register returns ErrRegistration if it is called for another type than T, or with nil.
func VerifiedBy[T any](equal func(sent, arrives T) bool) TypeOption {
	return func(r *registration) error {
		if t := reflect.TypeFor[T](); t != r.goType {
			return faults.Newf(ErrRegistration, "VerifiedBy is for %s", goName(t))
		}
		if equal == nil {
			return faults.Newf(ErrRegistration, "VerifiedBy got nil")
		}
		r.equal = func(sent, arrives reflect.Value) bool {
			return equal(*sent.Addr().Interface().(*T), *arrives.Addr().Interface().(*T))
		}
		return nil
	}
}

// VerifyAll is [Verified] for all types that have marshalers, a codec or a converter, also those that are not
// registered. Types registered with [VerifiedBy] are compared by their function.
func VerifyAll() Option { return func(s *settings) { s.verifyAll = true } }

// equality is the function by which what would arrive is compared, of a type that is written in a way of its own.
func (s *typeSet) equality(t reflect.Type) func(sent, arrives reflect.Value) bool {
	if registered, ok := s.byType[t]; ok && registered.equal != nil {
		return registered.equal
	}
	if s.verifyAll {
		return isEqual
	}
	return nil
}

// A verifiedPlan reads back what its inner plan wrote.
type verifiedPlan struct {
	plan
	goType reflect.Type
	// equal is nil where nothing is compared.
	equal func(sent, arrives reflect.Value) bool
	// convert and compare spell the calls that help where a value cannot be read back, or arrives as another one.
	convert, compare string
	// values are pointers to values that were read back, to be used again.
	values sync.Pool
}

// verified makes a plan for t that reads back what the inner plan writes.
func (p *planner) verified(t reflect.Type, inner plan, equal func(sent, arrives reflect.Value) bool) plan {
	if _, failed := inner.(failedPlan); failed {
		return inner
	}
	if already, ok := inner.(*verifiedPlan); ok && already.goType == t {
		inner = already.plan
	}
	return keep(p, t, plan(&verifiedPlan{
		plan:    inner,
		goType:  t,
		equal:   equal,
		convert: p.callFor(t, convertOption),
		compare: p.callFor(t, "envelope.VerifiedBy(equal)"),
		values:  sync.Pool{New: func() any { return reflect.New(t).Interface() }},
	}))
}

// verifiedAsRegistered makes the inner plan of a registered type read back what it writes, if that is wanted.
func (p *planner) verifiedAsRegistered(r *registration, inner plan) plan {
	switch {
	case r.equal != nil, p.types.verifyAll && r.isWhole():
		return p.verified(r.goType, inner, p.types.equality(r.goType))
	case r.readsBack:
		return p.verified(r.goType, inner, nil)
	}
	return inner
}

func (p *verifiedPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if p.isCovered(e) {
		return p.plan.encode(e, buf, v)
	}
	start := len(buf)
	e.readBackBy = append(e.readBackBy, p)
	buf, err := p.plan.encode(e, buf, v)
	e.readBackBy = e.readBackBy[:len(e.readBackBy)-1]
	if err != nil {
		return buf, err
	}
	return buf, p.verify(e, buf[start:], v)
}

// isCovered reports whether the value will be read back, and compared if it has to be, together with one that it stands
// in: else a value that holds others of its type would be read back once for each level.
func (p *verifiedPlan) isCovered(e *encoder) bool {
	return p.equal == nil && len(e.readBackBy) > 0 || slices.Contains(e.readBackBy, p)
}

// verify reads what was written for v.
func (p *verifiedPlan) verify(e *encoder, written []byte, v reflect.Value) error {
	d := e.newReader(string(written))
	defer d.release()
	pooled := p.values.Get()
	arrives := reflect.ValueOf(pooled).Elem()
	defer func() {
		arrives.SetZero()
		p.values.Put(pooled)
	}()
	if err := p.plan.decode(d, arrives); err != nil {
		return notReadBack(p.goType, err, p.convert)
	}
	if p.equal != nil && !p.equal(v, arrives) {
		return arrivesAsAnother(p.goType, p.compare)
	}
	return nil
}

// newReader returns a decoder for what the encoder has written. It admits what has to be encrypted, as that is done
// last, and any memory: MaxMemory does not bound sending, and a receiver has that of the whole envelope.
func (e *encoder) newReader(written string) *decoder {
	d := decoders.Get().(*decoder)
	*d = decoder{
		ctx:       e.ctx,
		resolver:  resolver{catalog: e.catalog},
		settings:  e.settings,
		in:        jsontext.NewReader(written, e.settings.limits.nesting(), jsontext.Unbounded()),
		encrypted: true,
	}
	return d
}

// notReadBack says that a value was written as what cannot be read.
func notReadBack(t reflect.Type, err error, call string) error {
	cause := err
	if fault, ok := errors.AsType[*faults.Fault](err); ok {
		cause = fault.Cause
	}
	text := goName(t) + " is written as what it does not read itself: " + err.Error() + ": send a valid value, or " + call
	return &faults.Fault{Kind: ErrUnsupported, Text: text, Cause: cause}
}

func arrivesAsAnother(t reflect.Type, call string) error {
	return faults.Newf(ErrUnsupported, "%s would arrive as another value: if they are equal to you, %s", goName(t), call)
}

// A verifiedKey reads back the text of map keys that are written in a way of their own.
type verifiedKey struct {
	keyPlan
	equal            func(sent, arrives reflect.Value) bool
	convert, compare string
}

// verifiedKey makes the plan of a map's keys read back what it writes, unless keys of type t are always read back.
func (p *planner) verifiedKey(t reflect.Type, key keyPlan) keyPlan {
	_, isText := key.(textKey)
	_, isConverted := key.(convertedKey)
	equal := p.types.equality(t)
	if !isText && (!isConverted || equal == nil) {
		return key
	}
	return &verifiedKey{
		keyPlan: key,
		equal:   equal,
		convert: p.callFor(t, convertOption),
		compare: p.callFor(t, "envelope.VerifiedBy(equal)"),
	}
}

func (k *verifiedKey) text(e *encoder, key reflect.Value) (string, error) {
	text, err := k.keyPlan.text(e, key)
	if err != nil {
		return "", err
	}
	d := e.newReader(text)
	defer d.release()
	arrives := reflect.New(key.Type()).Elem()
	if err := k.parse(d, text, arrives); err != nil {
		return "", notReadBack(key.Type(), err, k.convert)
	}
	if k.equal != nil && !k.equal(key, arrives) {
		return "", arrivesAsAnother(key.Type(), k.compare)
	}
	return text, nil
}
