package envelope

import (
	"fmt"
	"strings"
)

// An Envelope is what stands in one, before anything is made of it.
type Envelope struct {
	// Format is the version of the wire format: 1.
	Format int
	// Type is the type expression.
	Type string
	// Version is the schema version of the type: 1 where the envelope does not say.
	Version int
	// Codec is the format of the data: "json" where the envelope does not say.
	Codec string
	// Encoding says what was done to the data, in order.
	Encoding []string
	// Data is the payload: JSON as it stands in the envelope, or the bytes of another codec or encoding. It is
	// nil for null in these, and if there is a Ref.
	Data []byte
	// Ref is the key under which a payload store keeps the payload.
	Ref string
}

// String says what stands in the header, and never shows the payload: shop.Order, version 2, encoding zstd aead.
func (e Envelope) String() string {
	text := e.Type
	if e.Version != 1 {
		text += fmt.Sprintf(", version %d", e.Version)
	}
	if e.Codec != jsonCodec {
		text += ", codec " + e.Codec
	}
	if len(e.Encoding) > 0 {
		text += ", encoding " + strings.Join(e.Encoding, " ")
	}
	if e.Ref != "" {
		text += ", kept in the payload store"
	}
	return text
}

// GoString returns what [Envelope.String] does, so that %#v shows no payload either.
func (e Envelope) GoString() string { return e.String() }

// Is tells whether s begins as Marshal's envelopes do. That is a hint only: what begins so may still be no
// envelope.
func Is(s string) bool { return strings.HasPrefix(s, envelopePrefix) }

// Parse takes an envelope apart without knowing its types. It makes sure that the whole text is well-formed,
// within the default limits for depth and for type expressions; it takes time and memory in proportion to the
// length of s. It returns ErrMalformed, ErrLimit, or ErrUnknownVersion for a higher version of the format.
func Parse(s string) (Envelope, error) {
	limits := defaultSettings()
	d := &decoder{in: s, settings: &limits}
	parsed, err := d.envelope()
	if err != nil {
		return Envelope{}, rooted("", err)
	}
	return parsed, nil
}

func (d *decoder) envelope() (Envelope, error) {
	h, err := d.header()
	if err != nil {
		return Envelope{}, err
	}
	if _, err := parseExpression(h.expression, d.settings); err != nil {
		return Envelope{}, err
	}
	data, err := d.payloadBytes(h)
	if err != nil {
		return Envelope{}, err
	}
	if err := d.endEnvelope(); err != nil {
		return Envelope{}, err
	}
	return Envelope{
		Format:   formatVersion,
		Type:     strings.Clone(h.expression),
		Version:  h.version,
		Codec:    strings.Clone(h.codec),
		Encoding: cloneEach(h.encoding),
		Data:     data,
		Ref:      strings.Clone(h.ref),
	}, d.end()
}

// cloneEach copies strings that share memory with the input.
func cloneEach(texts []string) []string {
	for i, text := range texts {
		texts[i] = strings.Clone(text)
	}
	return texts
}

func (d *decoder) payloadBytes(h header) ([]byte, error) {
	if h.hasRef {
		return nil, nil
	}
	if h.codec == jsonCodec && len(h.encoding) == 0 {
		data, err := d.raw()
		return []byte(data), err
	}
	if d.null() {
		return nil, nil
	}
	return d.bytes()
}
