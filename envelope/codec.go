package envelope

import (
	"reflect"
)

// A Codec writes values in another format than JSON. Packages cborcodec and protocodec have some; one of your
// own takes three short methods.
type Codec interface {
	// Name goes into the header of envelopes; it follows the rules of wire names and may not be "json".
	Name() string
	// Marshal gets a pointer to the value, never nil. It must not change or keep it.
	Marshal(v any) ([]byte, error)
	// Unmarshal gets a pointer to a zero value to set. It must not keep data.
	Unmarshal(data []byte, v any) error
}

// UseCodec lets values of the type being registered travel in the codec's format, in base64. Where such a
// value stands inside others that are written in JSON, it is a string of base64. How exact the values arrive
// is up to the codec, which gets those of unexported fields, channels and the like as well. Together with
// [Convert], the codec gets the converted value. Register returns ErrRegistration for a nil codec or a name
// that cannot be used.
//
// Envelopes that were sent before the type had a codec can still be read, as JSON, unless the type has [Encodings] or
// the registry a key: then codec and encodings have to be those that are configured.
func UseCodec(c Codec) TypeOption {
	return func(r *registration) error {
		if c == nil {
			return faultf(ErrRegistration, "UseCodec got nil")
		}
		if name := c.Name(); !isName(name) || name == jsonCodec {
			return faultf(ErrRegistration, "%q cannot be the name of a codec", name)
		}
		r.codec = c
		return nil
	}
}

// A codecPlan writes values as base64 of what the codec makes of them.
type codecPlan struct{ codec Codec }

func (p codecPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	data, err := p.codec.Marshal(v.Addr().Interface())
	if err != nil {
		return buf, &fault{kind: ErrUnsupported, text: "codec " + p.codec.Name() + " cannot write the value", cause: err}
	}
	buf = append(buf, '"')
	buf = strictBase64.AppendEncode(buf, data)
	return append(buf, '"'), nil
}

func (p codecPlan) decode(d *decoder, v reflect.Value) error {
	data, err := d.bytes()
	if err != nil {
		return err
	}
	if err := p.codec.Unmarshal(data, v.Addr().Interface()); err != nil {
		return &fault{kind: ErrMalformed, text: "codec " + p.codec.Name() + " cannot read the value", cause: err}
	}
	return nil
}
