package envelope

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// An Envelope is what stands in one, before anything is made of it. Nothing that prints one, or a value that holds one,
// shows its payload. As a whole it is never equal to another, also for reflect.DeepEqual: compare its parts.
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
	// Ref is the key under which a payload store keeps the payload.
	Ref string

	// data returns the payload: what prints values shows the memory of others, whatever their methods say, but not what
	// a function holds.
	data func() []byte
}

// Data returns the payload: JSON as it stands in the envelope, or the bytes of another codec or encoding. It is nil for
// null in these, and if there is a Ref.
func (e Envelope) Data() []byte {
	if e.data == nil {
		return nil
	}
	return e.data()
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

// GoString returns what [Envelope.String] does.
func (e Envelope) GoString() string { return e.String() }

// LogValue returns what [Envelope.String] does.
func (e Envelope) LogValue() slog.Value { return slog.StringValue(e.String()) }

// Is reports whether s begins as Marshal's envelopes do. That is a hint only: what begins so may still be no envelope.
func Is(s string) bool { return strings.HasPrefix(s, envelopePrefix) }

// Parse takes an envelope apart without knowledge of its types. It checks that the whole text is well-formed, and
// within the default limits for depth and for type expressions; it takes time and memory in proportion to the length of
// s. It returns ErrMalformed, ErrLimit, or ErrUnknownVersion for a higher version of the format.
func Parse(s string) (Envelope, error) {
	r := defaultLimits.reader(s)
	parsed, err := parse(&r)
	if err != nil {
		return Envelope{}, rooted("", err)
	}
	return parsed, nil
}

func parse(r *jsontext.Reader) (Envelope, error) {
	h, err := readHeader(r)
	if err != nil {
		return Envelope{}, err
	}
	if _, err := parseExpression(h.expression, &defaultLimits); err != nil {
		return Envelope{}, err
	}
	data, err := payloadBytes(r, h)
	if err != nil {
		return Envelope{}, err
	}
	if err := closeEnvelope(r); err != nil {
		return Envelope{}, err
	}
	return Envelope{
		Format:   formatVersion,
		Type:     strings.Clone(h.expression),
		Version:  h.version,
		Codec:    strings.Clone(h.codec),
		Encoding: cloneEach(h.encoding),
		data:     func() []byte { return data },
		Ref:      strings.Clone(h.ref),
	}, checkEnd(r)
}

// cloneEach replaces strings that share memory with the text by copies.
func cloneEach(texts []string) []string {
	for i, text := range texts {
		texts[i] = strings.Clone(text)
	}
	return texts
}

func payloadBytes(r *jsontext.Reader, h header) ([]byte, error) {
	if h.hasRef {
		return nil, nil
	}
	if h.codec == jsonCodec && len(h.encoding) == 0 {
		data, err := r.Raw()
		return []byte(data), err
	}
	if r.Null() {
		return nil, nil
	}
	return r.Bytes()
}
