package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A Codec writes values in another format than JSON. Packages cborcodec and protocodec have some; one of your own takes
// three short methods.
type Codec interface {
	// Name goes into the header of envelopes; it follows the rules of wire names and may not be "json".
	Name() string
	// Marshal gets a pointer to the value, never nil. It must not change or keep it.
	Marshal(v any) ([]byte, error)
	// Unmarshal gets a pointer to a zero value to set. It must not keep data.
	Unmarshal(data []byte, v any) error
}

// UseCodec lets values of the type being registered travel in the codec's format, in base64. Where such a value stands
// inside others that are written in JSON, it is a string of base64. How exact the values arrive is up to the codec,
// which gets those of unexported fields, channels and the like as well. Together with [Convert], the codec gets the
// converted value. Register returns ErrRegistration for a nil codec, a name that cannot be used, or a type that the
// codec cannot write (see [TypeChecker]).
//
// Envelopes that were sent before the type had a codec can still be read, as JSON, unless the type has [Encodings] or
// the registry a key: then codec and encodings have to be those that are configured. Those in another codec can be read
// with [ReadCodec].
func UseCodec(c Codec) TypeOption {
	return func(r *registration) error {
		if err := checkCodec("UseCodec", c); err != nil {
			return err
		}
		if r.codec != nil {
			return faults.Newf(ErrRegistration, "UseCodec is given twice")
		}
		r.codec = c
		return nil
	}
}

// ReadCodec lets envelopes of the type being registered be read that are written in the codec, beside those in the one
// that it is written in: that of [UseCodec], or JSON. It may be given several times. To change the codec of a type,
// deploy it as ReadCodec to every reader, then exchange the two, and take the old one out when no old messages are
// left.
//
// Where such a value stands inside others, nothing says how it was written: there it is read in the codec it is written
// in. Register returns ErrRegistration as for UseCodec. An envelope in a codec that is not known here is refused with
// [ErrUnknownCodec].
func ReadCodec(c Codec) TypeOption {
	return func(r *registration) error {
		if err := checkCodec("ReadCodec", c); err != nil {
			return err
		}
		r.readCodecs = append(r.readCodecs, c)
		return nil
	}
}

// A TypeChecker is a [Codec] that cannot write every type. [Register] asks it.
type TypeChecker interface {
	// CheckType returns an error if values of t, which the codec gets by pointers to them, cannot be written.
	CheckType(t reflect.Type) error
}

func checkCodec(option string, c Codec) error {
	if c == nil {
		return faults.Newf(ErrRegistration, "%s got nil", option)
	}
	if name := c.Name(); !isName(name) || name == jsonCodec {
		return faults.Newf(ErrRegistration, "%s: %q cannot be the name of a codec", option, name)
	}
	return nil
}

// codecs lists what the type is written and read in, besides JSON.
func (r *registration) codecs() []Codec {
	if r.codec == nil {
		return r.readCodecs
	}
	return append([]Codec{r.codec}, r.readCodecs...)
}

// codecNamed returns the codec with a name, nil if there is none, or if it is JSON.
func (r *registration) codecNamed(name string) Codec {
	for _, c := range r.codecs() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// checkCodecs refuses two codecs with one name, and types that a codec cannot write.
func (r *registration) checkCodecs() error {
	written := r.goType
	if r.converter != nil {
		written = r.converter.wireType
	}
	seen := map[string]bool{}
	for _, c := range r.codecs() {
		if seen[c.Name()] {
			return faults.Newf(ErrRegistration, "the codec %s is given twice", c.Name())
		}
		seen[c.Name()] = true
		checker, ok := c.(TypeChecker)
		if !ok {
			continue
		}
		if err := checker.CheckType(written); err != nil {
			text := "codec " + c.Name() + " cannot carry " + goName(written) + ": " + err.Error()
			return &faults.Fault{Kind: ErrRegistration, Text: text, Cause: err}
		}
	}
	return nil
}

// A codecPlan writes values as base64 of what the codec makes of them.
type codecPlan struct{ codec Codec }

func (p codecPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	data, err := p.codec.Marshal(v.Addr().Interface())
	if err != nil {
		return buf, &faults.Fault{Kind: ErrUnsupported, Text: "codec " + p.codec.Name() + " cannot write the value", Cause: err}
	}
	return jsontext.AppendBytes(buf, data), nil
}

func (p codecPlan) decode(d *decoder, v reflect.Value) error {
	data, err := d.in.Bytes()
	if err != nil {
		return err
	}
	if err := p.codec.Unmarshal(data, v.Addr().Interface()); err != nil {
		return &faults.Fault{Kind: ErrMalformed, Text: "codec " + p.codec.Name() + " cannot read the value", Cause: err}
	}
	return nil
}
