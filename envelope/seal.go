package envelope

import (
	"bytes"
	"slices"
	"sync"
)

// A workbench has two buffers: what one step has written the next one reads, and writes to the other.
type workbench struct {
	buffers        [2][]byte
	turn           int
	associatedData []byte
}

var workbenches = sync.Pool{New: func() any { return new(workbench) }}

func (w *workbench) release() {
	for i, buf := range w.buffers {
		if cap(buf) > keptBuffer {
			w.buffers[i] = nil
		}
	}
	workbenches.Put(w)
}

// free returns the buffer that nothing is in.
func (w *workbench) free() []byte { return w.buffers[w.turn][:0] }

// keep notes that the free buffer, which may have grown, has something in it now.
func (w *workbench) keep(buf []byte) []byte {
	w.buffers[w.turn] = buf
	w.turn = 1 - w.turn
	return buf
}

// bind returns the associated data of a header.
func (w *workbench) bind(h *header) []byte {
	w.associatedData = h.associatedData(w.associatedData[:0])
	return w.associatedData
}

// A sealing is a payload on its way from the codec to the text.
type sealing struct {
	*encoder
	*workbench
	header  header
	payload []byte
	encrypt bool
}

// seals tells whether there may be more to do with an envelope than writing its data.
func (e *encoder) seals(w *wire, size int) bool {
	return len(w.encodings) > 0 || w.encrypted || e.encrypted || e.settings.stores(size)
}

// seal makes of a plain envelope one whose payload is encoded, encrypted and kept elsewhere, as is configured.
func (e *encoder) seal(w *wire, plain []byte) (string, error) {
	bench := workbenches.Get().(*workbench)
	defer bench.release()
	names := [4]string{}
	s := sealing{encoder: e, workbench: bench, encrypt: w.encrypted || e.encrypted}
	s.header = header{expression: w.expression, version: w.version, codec: w.codec, encoding: names[:0]}
	if err := s.take(plain[len(w.header) : len(plain)-1]); err != nil {
		return "", err
	}
	for _, encoding := range w.encodings {
		if err := s.encode(encoding); err != nil {
			return "", err
		}
	}
	if err := s.close(); err != nil {
		return "", err
	}
	if err := s.settings.checkSize(len(s.payload)); err != nil {
		return "", err
	}
	if s.settings.stores(len(s.payload)) {
		return s.store()
	}
	if len(s.header.encoding) == 0 {
		return string(plain), nil
	}
	return s.text()
}

// take finds the payload in the data: the bytes of a codec are in base64 there.
func (s *sealing) take(data []byte) error {
	s.payload = data
	if s.header.codec == jsonCodec {
		return nil
	}
	if string(data) == "null" {
		s.header.codec = jsonCodec
		return nil
	}
	decoded, err := strictBase64.AppendDecode(s.free(), bytes.Trim(data, `"`))
	s.payload = s.keep(decoded)
	return err
}

// encode applies an encoding, unless it may be left out and does not make the envelope shorter.
func (s *sealing) encode(encoding Encoding) error {
	compression, isOptional := encoding.(Compression)
	if isOptional && !compression.IsWorthwhile(len(s.payload)) {
		return nil
	}
	encoded, err := encoding.AppendEncode(s.free(), s.payload)
	if err != nil {
		return &fault{kind: ErrUnsupported, text: "encoding " + encoding.Name() + " cannot write the payload", cause: err}
	}
	if isOptional && !s.isShorter(encoded, encoding.Name()) {
		return nil
	}
	s.payload = s.keep(encoded)
	s.header.encoding = append(s.header.encoding, encoding.Name())
	return nil
}

// isShorter compares what would be written. JSON that nothing was done to stands as it is, everything else in base64.
func (s *sealing) isShorter(encoded []byte, name string) bool {
	if s.encrypt || len(s.header.encoding) > 0 || s.header.codec != jsonCodec || s.settings.stores(len(s.payload)) {
		return len(encoded) < len(s.payload)
	}
	added := len(`,"encoding":[""]""`) + len(name)
	return strictBase64.EncodedLen(len(encoded))+added < len(s.payload)
}

// close encrypts the payload, if it has to be.
func (s *sealing) close() error {
	if !s.encrypt {
		return nil
	}
	s.header.encoding = append(s.header.encoding, encryptionName)
	ciphertext, err := s.settings.aead.Encrypt(s.payload, s.bind(&s.header))
	if err != nil {
		return &fault{kind: ErrUnencrypted, text: "payload could not be encrypted", cause: err}
	}
	s.payload = ciphertext
	return nil
}

// store puts the payload into the payload store and writes an envelope that refers to it.
func (s *sealing) store() (string, error) {
	ref, err := s.settings.store.Put(s.ctx, s.payload)
	if err != nil {
		return "", storeFailed(err)
	}
	if !isRef(ref) {
		return "", unsupported("payload store gave a reference that is not sha256: and 64 hexadecimal digits")
	}
	buf := append(appendHeader(s.free(), s.header), `,"ref":"`...)
	buf = append(append(buf, ref...), `"}`...)
	return string(s.keep(buf)), nil
}

// text writes the envelope with the payload in base64.
func (s *sealing) text() (string, error) {
	buf := appendHeader(s.free(), s.header)
	buf = slices.Grow(buf, len(dataKey)+strictBase64.EncodedLen(len(s.payload))+len(`""}`))
	buf = append(append(buf, dataKey...), '"')
	buf = strictBase64.AppendEncode(buf, s.payload)
	buf = s.keep(append(buf, `"}`...))
	if err := s.settings.checkSize(len(buf)); err != nil {
		return "", err
	}
	return string(buf), nil
}
