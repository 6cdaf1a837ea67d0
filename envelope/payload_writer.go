package envelope

import (
	"bytes"
	"context"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A payloadWriter does to a payload what is configured: it encodes it, encrypts it and puts it in the store.
type payloadWriter struct {
	ctx      context.Context
	settings *settings
	*buffers
	header  header
	payload []byte
	encrypt bool
}

// hasPayloadWork reports whether something may have to be done to the payload of an envelope of so many bytes.
func (e *encoder) hasPayloadWork(info *typeInfo, size int) bool {
	return len(info.encodings) > 0 || info.encrypted || e.encrypted || e.settings.stores(size)
}

// writePayload returns the envelope, given as it is with nothing done to its payload, with all done that is configured.
func (e *encoder) writePayload(info *typeInfo, plain []byte) (string, error) {
	names := [4]string{}
	p := payloadWriter{
		ctx:      e.ctx,
		settings: e.settings,
		buffers:  bufferPool.Get().(*buffers),
		header:   header{expression: info.expression, version: info.version, codec: info.codec, encoding: names[:0]},
		encrypt:  info.encrypted || e.encrypted,
	}
	defer p.release()
	if err := p.take(plain[len(info.header) : len(plain)-1]); err != nil {
		return "", err
	}
	for _, encoding := range info.encodings {
		if err := p.encode(encoding); err != nil {
			return "", err
		}
	}
	if err := p.encryptPayload(); err != nil {
		return "", err
	}
	if err := p.settings.limits.checkSize(len(p.payload)); err != nil {
		return "", err
	}
	if p.settings.stores(len(p.payload)) {
		return p.store()
	}
	if len(p.header.encoding) == 0 {
		return string(plain), nil
	}
	return p.text()
}

// take finds the payload in the data: the bytes of a codec are in base64 there.
func (p *payloadWriter) take(data []byte) error {
	p.payload = data
	if p.header.codec == jsonCodec {
		return nil
	}
	if string(data) == "null" {
		p.header.codec = jsonCodec
		return nil
	}
	decoded, err := jsontext.Base64.AppendDecode(p.free(), bytes.Trim(data, `"`))
	p.payload = p.keep(decoded)
	return err
}

// encode applies an encoding, unless it may be left out and does not make the envelope shorter.
func (p *payloadWriter) encode(encoding Encoding) error {
	compression, isOptional := encoding.(Compression)
	if isOptional && !compression.IsWorthwhile(len(p.payload)) {
		return nil
	}
	encoded, err := encoding.AppendEncode(p.free(), p.payload)
	if err != nil {
		return &faults.Fault{Kind: ErrUnsupported, Text: "encoding " + encoding.Name() + " cannot write the payload", Cause: err}
	}
	if isOptional && !p.isShorter(encoded, encoding.Name()) {
		return nil
	}
	p.payload = p.keep(encoded)
	p.header.encoding = append(p.header.encoding, encoding.Name())
	return nil
}

// isShorter compares what would be written. JSON that nothing was done to stands as it is, everything else in base64.
func (p *payloadWriter) isShorter(encoded []byte, name string) bool {
	if p.encrypt || len(p.header.encoding) > 0 || p.header.codec != jsonCodec || p.settings.stores(len(p.payload)) {
		return len(encoded) < len(p.payload)
	}
	added := len(`,"encoding":[""]""`) + len(name)
	return jsontext.Base64.EncodedLen(len(encoded))+added < len(p.payload)
}

// encryptPayload encrypts the payload, if it has to be.
func (p *payloadWriter) encryptPayload() error {
	if !p.encrypt {
		return nil
	}
	p.header.encoding = append(p.header.encoding, encryptionName)
	ciphertext, err := p.settings.aead.Encrypt(p.payload, p.associatedData(&p.header))
	if err != nil {
		return &faults.Fault{Kind: ErrUnencrypted, Text: "payload could not be encrypted", Cause: err}
	}
	p.payload = ciphertext
	return nil
}

// store puts the payload into the payload store and writes an envelope that refers to it.
func (p *payloadWriter) store() (string, error) {
	ref, err := p.settings.store.Put(p.ctx, p.payload)
	if err != nil {
		return "", storeFailed(err)
	}
	if !isRef(ref) {
		return "", faults.Unsupported("payload store gave a reference that is not sha256: and 64 hexadecimal digits")
	}
	buf := append(appendHeader(p.free(), p.header), `,"ref":"`...)
	buf = append(append(buf, ref...), `"}`...)
	return string(p.keep(buf)), nil
}

// text writes the envelope with the payload in base64.
func (p *payloadWriter) text() (string, error) {
	buf := appendHeader(p.free(), p.header)
	buf = slices.Grow(buf, len(dataKey)+jsontext.Base64.EncodedLen(len(p.payload))+len(`""}`))
	buf = jsontext.AppendBytes(append(buf, dataKey...), p.payload)
	buf = p.keep(append(buf, '}'))
	if err := p.settings.limits.checkSize(len(buf)); err != nil {
		return "", err
	}
	return string(buf), nil
}
