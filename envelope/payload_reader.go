package envelope

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// admit compares the header of an outermost envelope, which is to be read into the target type, with what the registry
// is configured for, before anything is done with the payload. It returns the encodings that were applied.
func (d *decoder) admit(h *header, x *expression, target reflect.Type) (applied []Encoding, err error) {
	rest := h.encoding
	for _, encoding := range d.settings.encodingsOf(d.catalog.types.leafNamed(x)) {
		if len(rest) > 0 && rest[0] == encoding.Name() {
			applied = append(applied, encoding)
			rest = rest[1:]
		} else if !isOptional(encoding) {
			return nil, otherEncodings(h)
		}
	}
	if d.encrypted = slices.Equal(rest, []string{encryptionName}); !d.encrypted && len(rest) > 0 {
		return nil, otherEncodings(h)
	}
	if d.encrypted && d.settings.aead == nil {
		return nil, faults.Newf(ErrUnsupported, "envelope of %s is encrypted, and the registry has no key: "+
			"pass envelope.EncryptAll or envelope.EncryptMarked to envelope.NewRegistry", h.expression)
	}
	if !d.admitsMarked() && (d.settings.encryptAll || d.catalog.isEncrypted(x, target)) {
		return nil, unencrypted(h.expression)
	}
	if h.hasRef && d.settings.store == nil {
		return nil, faults.Unsupported(
			"envelope has a ref, and there is no payload store: pass envelope.WithStore to envelope.NewRegistry")
	}
	return applied, nil
}

func otherEncodings(h *header) error {
	return faults.Newf(ErrUnsupported, "envelope of %s has the encodings %q, which are not those configured for it here: "+
		"pass envelope.Encodings and the like to envelope.NewRegistry, in every reader before the first sender",
		h.expression, h.encoding)
}

// admitsMarked reports whether types that ask for encryption may stand in the envelope.
func (d *decoder) admitsMarked() bool { return d.encrypted || d.settings.allowUnencrypted }

// A payloadReader undoes what was done to the payload of an envelope.
type payloadReader struct {
	d *decoder
	*buffers
	header *header
}

// readPayload reads all of the text, and returns what would follow the header if the payload was neither encoded nor
// kept elsewhere.
func (d *decoder) readPayload(h *header, applied []Encoding) (string, error) {
	p := payloadReader{d: d, buffers: bufferPool.Get().(*buffers), header: h}
	defer p.release()
	payload, err := p.fetch()
	if err != nil {
		return "", err
	}
	if d.encrypted {
		if payload, err = p.decrypt(payload); err != nil {
			return "", err
		}
	}
	for _, encoding := range slices.Backward(applied) {
		if payload, err = p.decode(encoding, payload); err != nil {
			return "", err
		}
	}
	return p.text(payload)
}

// fetch returns the payload as it is in the envelope or in the store.
func (p *payloadReader) fetch() (payload []byte, err error) {
	if !p.header.hasRef {
		if payload, err = p.d.in.AppendBytes(p.free()); err != nil {
			return nil, err
		}
		p.keep(payload)
	}
	if err := p.d.close(); err != nil {
		return nil, err
	}
	if !p.header.hasRef {
		return payload, nil
	}
	limits := &p.d.settings.limits
	payload, err = p.d.settings.store.Get(p.d.ctx, p.header.ref, limits.MaxBytes)
	if err != nil {
		return nil, storeFailed(err)
	}
	if err := limits.checkSize(len(payload)); err != nil {
		return nil, err
	}
	p.d.in.Resize(limits.memory(p.d.in.Length() + len(payload)))
	return payload, p.d.in.Charge(int64(len(payload)))
}

// decrypt returns the same error for everything that can be wrong with an encrypted payload.
func (p *payloadReader) decrypt(payload []byte) ([]byte, error) {
	plaintext, err := p.d.settings.aead.Decrypt(payload, p.associatedData(p.header))
	if err != nil {
		return nil, &faults.Fault{Kind: ErrUndecryptable, Cause: err, Text: "payload of " + p.header.expression +
			" cannot be decrypted: it or its header was changed, or its key is not, or no longer, in use here"}
	}
	if err := p.d.settings.limits.checkSize(len(plaintext)); err != nil {
		return nil, err
	}
	return plaintext, p.d.in.Charge(int64(len(plaintext)))
}

func (p *payloadReader) decode(encoding Encoding, payload []byte) ([]byte, error) {
	limits := &p.d.settings.limits
	left := p.d.in.Left()
	decoded, err := encoding.AppendDecode(p.free(), payload, int(min(int64(limits.MaxBytes), left)))
	if errors.Is(err, ErrLimit) && left < int64(limits.MaxBytes) {
		return nil, p.d.in.Exceeded()
	}
	if errors.Is(err, ErrLimit) {
		return nil, faults.Limited("MaxBytes", limits.MaxBytes)
	}
	if err != nil {
		text := "encoding " + encoding.Name() + " cannot read the payload"
		return nil, &faults.Fault{Kind: ErrMalformed, Text: text, Cause: err}
	}
	if err := limits.checkSize(len(decoded)); err != nil {
		return nil, err
	}
	return p.keep(decoded), p.d.in.Charge(int64(len(decoded)))
}

// nullPayload is what text returns for nil. A nil pointer has no bytes of its codec, so it is sent as JSON.
const nullPayload = "null}"

// text writes the payload as it stands in an envelope where nothing was done to it, and the end of the envelope.
func (p *payloadReader) text(payload []byte) (string, error) {
	if err := p.d.in.Charge(int64(len(payload) + 1)); err != nil {
		return "", err
	}
	var text strings.Builder
	if p.header.codec == jsonCodec {
		text.Grow(len(payload) + 1)
		text.Write(payload)
		text.WriteByte('}')
		return text.String(), nil
	}
	return string(p.keep(append(jsontext.AppendBytes(p.free(), payload), '}'))), nil
}
