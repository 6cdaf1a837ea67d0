package envelope

import (
	"slices"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

const (
	formatVersion  = 1
	jsonCodec      = "json"
	envelopePrefix = `{"` + formatKey + `":`
	// headerStart is how the headers begin that are written, up to the name of the type.
	headerStart = envelopePrefix + `1,"type":"`
	dataKey     = `,"data":`
	// maxEncodings bounds the encodings of one envelope.
	maxEncodings = 16
)

// A header is what an envelope says before its data.
type header struct {
	expression string
	version    int
	codec      string
	encoding   []string
	ref        string
	hasRef     bool
}

// isPlain reports whether the data follows with nothing done to it.
func (h *header) isPlain() bool { return len(h.encoding) == 0 && !h.hasRef }

// appendHeader writes an envelope up to its data or ref.
func appendHeader(buf []byte, h header) []byte {
	buf = append(buf, headerStart...)
	buf = append(buf, h.expression...)
	buf = append(buf, '"')
	if h.version != 1 {
		buf = append(buf, `,"version":`...)
		buf = strconv.AppendInt(buf, int64(h.version), 10)
	}
	if h.codec != jsonCodec {
		buf = append(buf, `,"codec":"`...)
		buf = append(buf, h.codec...)
		buf = append(buf, '"')
	}
	for i, name := range h.encoding {
		buf = append(buf, []string{`,"encoding":["`, `","`}[min(i, 1)]...)
		buf = append(buf, name...)
	}
	if len(h.encoding) > 0 {
		buf = append(buf, `"]`...)
	}
	return buf
}

// headerKeys are the header keys that have a meaning, each with a bit of its own; others are ignored.
var headerKeys = map[string]uint{formatKey: 1, "type": 2, "version": 4, "codec": 8, "encoding": 16}

// readHeader reads an envelope up to its data, or to its end if it has a ref instead. The strings of the header may
// share memory with the text.
func readHeader(r *jsontext.Reader) (header, error) {
	h := header{version: 1, codec: jsonCodec}
	if !r.Take('{') {
		return h, faults.Malformed("not an envelope")
	}
	if err := readFormat(r); err != nil {
		return h, err
	}
	seen := headerKeys[formatKey]
	var unknown nameSet
	for r.Take(',') {
		name, err := r.Key()
		if err != nil {
			return h, err
		}
		if name == "data" || name == "ref" {
			return h, h.readRef(r, name)
		}
		known := headerKeys[name]
		if known&seen != 0 {
			return h, faults.Malformed("envelope has " + name + " twice")
		}
		seen |= known
		if known != 0 {
			err = h.readValue(r, name)
		} else if err = unknown.add(r, name); err == nil {
			err = r.Skip()
		}
		if err != nil {
			return h, err
		}
	}
	if r.Peek() != '}' {
		return h, faults.Malformed("expected a comma or the end of the envelope")
	}
	return h, faults.Malformed("envelope has no data")
}

// readFormat reads the first key, which makes an object an envelope, and the version of the format.
func readFormat(r *jsontext.Reader) error {
	if r.Peek() == '}' {
		return faults.Malformed("not an envelope")
	}
	name, err := r.Key()
	if err != nil {
		return err
	}
	if name != formatKey {
		return faults.Malformed("not an envelope")
	}
	literal, err := r.Number()
	if err != nil {
		return faults.Malformed(formatKey + " is not a number")
	}
	if literal == strconv.Itoa(formatVersion) {
		return nil
	}
	if jsontext.Digits(literal) < len(literal) || literal == "0" {
		return faults.Malformed(formatKey + " is not a format version")
	}
	return faults.Newf(ErrUnknownVersion, "%s is a higher version than %d, of a format that is not known here: "+
		"call `go get github.com/machinery-envelope/machinery-envelope@latest`", formatKey, formatVersion)
}

// readValue reads what stands under a key that has a meaning.
func (h *header) readValue(r *jsontext.Reader, key string) (err error) {
	switch key {
	case "type":
		h.expression, _, err = r.Text()
	case "codec":
		h.codec, _, err = r.Text()
	case "version":
		h.version, err = readVersion(r)
	case "encoding":
		h.encoding, err = readEncodings(r)
	}
	if err != nil {
		return faults.Malformed("envelope has an invalid " + key)
	}
	return nil
}

func readVersion(r *jsontext.Reader) (int, error) {
	n, err := r.Int(32)
	if err == nil && n < 1 {
		err = faults.Malformed("not a version")
	}
	return int(n), err
}

func readEncodings(r *jsontext.Reader) ([]string, error) {
	empty, err := r.OpenArray()
	if err != nil || empty {
		return nil, err
	}
	names := make([]string, 0, 4)
	for more := true; more; {
		var name string
		if name, _, err = r.Text(); err != nil {
			return nil, err
		}
		if !isName(name) || slices.Contains(names, name) || len(names) == maxEncodings {
			return nil, faults.Malformed("not a list of encodings")
		}
		names = append(names, name)
		if more, err = r.More(']'); err != nil {
			return nil, err
		}
	}
	return names, err
}

// readRef checks what has to come before the last key, which is data or ref, and reads the ref.
func (h *header) readRef(r *jsontext.Reader, key string) (err error) {
	if h.expression == "" {
		return faults.Malformed("envelope has no type")
	}
	if key == "data" {
		return nil
	}
	h.hasRef = true
	if h.ref, _, err = r.Text(); err != nil || !isRef(h.ref) {
		return faults.Malformed("envelope has an invalid ref")
	}
	return nil
}

// closeEnvelope takes the end of an envelope, after its data.
func closeEnvelope(r *jsontext.Reader) error {
	if r.Peek() == ',' {
		return faults.Malformed("envelope goes on after its data")
	}
	if !r.Take('}') {
		return faults.Malformed("expected the end of the envelope")
	}
	return nil
}

// checkEnd returns ErrMalformed if anything but white space is left.
func checkEnd(r *jsontext.Reader) error {
	if !r.AtEnd() {
		return faults.Malformed("text after the envelope")
	}
	return nil
}

// checkNested refuses what only the outermost envelope may have.
func (h *header) checkNested() error {
	if !h.isPlain() {
		return faults.Malformed("nested envelope has an encoding or a ref")
	}
	return nil
}

// A nameSet holds the names that were read in one object.
type nameSet map[string]struct{}

// add adds a name, and returns ErrMalformed if the set has it.
func (s *nameSet) add(r *jsontext.Reader, name string) error {
	if err := r.Charge(nameMemory); err != nil {
		return err
	}
	if *s == nil {
		*s = nameSet{}
	}
	if _, ok := (*s)[name]; ok {
		return errDuplicateName()
	}
	(*s)[name] = struct{}{}
	return nil
}

func errDuplicateName() error { return faults.Malformed("duplicate name") }
