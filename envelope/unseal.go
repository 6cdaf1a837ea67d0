package envelope

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// admit holds the header of an outermost envelope, for a place of type t, against what is configured, before anything
// is done with the payload. It returns the encodings that were applied.
func (d *decoder) admit(h *header, x *expression, t reflect.Type) (applied []Encoding, err error) {
	if d.settings.err != nil {
		return nil, d.settings.err
	}
	rest := h.encoding
	for _, encoding := range d.settings.encodingsOf(d.catalog.leafNamed(x)) {
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
		return nil, faultf(ErrUnsupported, "envelope of %s is encrypted, and the registry has no key: "+
			"pass envelope.EncryptAll or envelope.EncryptMarked to envelope.NewRegistry", h.expression)
	}
	if !d.admitsMarked() && (d.settings.encryptAll || d.catalog.isEncrypted(x, t)) {
		return nil, unencrypted(h.expression)
	}
	if h.hasRef && d.settings.store == nil {
		return nil, unsupported("envelope has a ref, and there is no payload store: pass envelope.WithStore to envelope.NewRegistry")
	}
	return applied, nil
}

func otherEncodings(h *header) error {
	return faultf(ErrUnsupported, "envelope of %s has the encodings %q, which are not those configured for it here: "+
		"pass envelope.Encodings and the like to envelope.NewRegistry, in every reader before the first sender",
		h.expression, h.encoding)
}

// admitsMarked tells whether types that ask for encryption may stand in the envelope.
func (d *decoder) admitsMarked() bool { return d.encrypted || d.settings.allowUnencrypted }

// unseal brings the payload of an envelope, which is encoded or kept elsewhere, into the form of one where neither is
// so, and puts what is left of that in place of the input.
func (d *decoder) unseal(h *header, applied []Encoding) error {
	bench := workbenches.Get().(*workbench)
	defer bench.release()
	payload, err := d.sealed(h, bench)
	if err != nil {
		return err
	}
	if d.encrypted {
		if payload, err = d.decrypt(h, bench, payload); err != nil {
			return err
		}
	}
	for _, encoding := range slices.Backward(applied) {
		if payload, err = d.decode(encoding, bench, payload); err != nil {
			return err
		}
	}
	d.in, d.pos = d.plain(h, bench, payload), 0
	return nil
}

// sealed returns the payload as it came, with all of the input read.
func (d *decoder) sealed(h *header, bench *workbench) (payload []byte, err error) {
	if !h.hasRef {
		if payload, err = d.appendBytes(bench.free()); err != nil {
			return nil, err
		}
		bench.keep(payload)
	}
	if err := d.endEnvelope(); err != nil {
		return nil, err
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if !h.hasRef {
		return payload, nil
	}
	payload, err = d.settings.store.Get(d.ctx, h.ref, d.settings.maxBytes)
	if err != nil {
		return nil, storeFailed(err)
	}
	return payload, d.settings.checkSize(len(payload))
}

// decrypt says no more about what is wrong than that the payload does not open.
func (d *decoder) decrypt(h *header, bench *workbench, payload []byte) ([]byte, error) {
	plaintext, err := d.settings.aead.Decrypt(payload, bench.bind(h))
	if err != nil {
		return nil, &fault{kind: ErrUndecryptable, cause: err, text: "payload of " + h.expression + " cannot be decrypted: " +
			"it or its header was changed, or its key is not, or no longer, in use here"}
	}
	return plaintext, d.settings.checkSize(len(plaintext))
}

func (d *decoder) decode(encoding Encoding, bench *workbench, payload []byte) ([]byte, error) {
	decoded, err := encoding.AppendDecode(bench.free(), payload, d.settings.maxBytes)
	if errors.Is(err, ErrLimit) {
		return nil, limited("MaxBytes", d.settings.maxBytes)
	}
	if err != nil {
		return nil, &fault{kind: ErrMalformed, text: "encoding " + encoding.Name() + " cannot read the payload", cause: err}
	}
	return bench.keep(decoded), d.settings.checkSize(len(decoded))
}

// sealedNull is what plain returns for nil. A nil pointer has no bytes of its codec, so it is sent as JSON.
const sealedNull = "null}"

// plain returns what would follow the header if nothing had been done to the payload.
func (d *decoder) plain(h *header, bench *workbench, payload []byte) string {
	var text strings.Builder
	if h.codec == jsonCodec {
		text.Grow(len(payload) + 1)
		text.Write(payload)
		text.WriteByte('}')
		return text.String()
	}
	buf := append(bench.free(), '"')
	buf = strictBase64.AppendEncode(buf, payload)
	return string(bench.keep(append(buf, `"}`...)))
}
