package envelope

import (
	"slices"
	"strconv"
)

const (
	formatVersion  = 1
	jsonCodec      = "json"
	envelopePrefix = `{"` + formatKey + `":`
	dataKey        = `,"data":`
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

// appendHeader writes an envelope up to its data or ref.
func appendHeader(buf []byte, h header) []byte {
	buf = append(buf, envelopePrefix...)
	buf = strconv.AppendInt(buf, formatVersion, 10)
	buf = append(buf, `,"type":"`...)
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

// The header keys that have a meaning; others are ignored.
var headerKeys = map[string]uint{formatKey: 1, "type": 2, "version": 4, "codec": 8, "encoding": 16}

// header reads an envelope up to its data, or to its end if it has a ref instead. Its strings may share memory
// with the input.
func (d *decoder) header() (header, error) {
	h := header{version: 1, codec: jsonCodec}
	if !d.take('{') {
		return h, malformed("not an envelope")
	}
	if err := d.format(); err != nil {
		return h, err
	}
	seen := headerKeys[formatKey]
	var unknown map[string]struct{}
	for d.take(',') {
		name, err := d.key()
		if err != nil {
			return h, err
		}
		if name == "data" || name == "ref" {
			return h, d.payload(name, &h)
		}
		known := headerKeys[name]
		if known&seen != 0 {
			return h, malformed("envelope has " + name + " twice")
		}
		seen |= known
		if known != 0 {
			err = d.headerValue(name, &h)
		} else if unknown, err = remember(name, unknown); err == nil {
			err = d.skip()
		}
		if err != nil {
			return h, err
		}
	}
	if d.peek() != '}' {
		return h, malformed("expected a comma or the end of the envelope")
	}
	return h, malformed("envelope has no data")
}

// format reads the first key, which makes an object an envelope, and the version of the format.
func (d *decoder) format() error {
	if d.peek() == '}' {
		return malformed("not an envelope")
	}
	name, err := d.key()
	if err != nil {
		return err
	}
	if name != formatKey {
		return malformed("not an envelope")
	}
	literal, err := d.number()
	if err != nil {
		return malformed(formatKey + " is not a number")
	}
	if literal == strconv.Itoa(formatVersion) {
		return nil
	}
	if digits(literal) < len(literal) || literal == "0" {
		return malformed(formatKey + " is not a format version")
	}
	return faultf(ErrUnknownVersion, "%s is a higher version than %d, of a format that is not known here", formatKey, formatVersion)
}

func (d *decoder) headerValue(name string, h *header) (err error) {
	switch name {
	case "type":
		h.expression, _, err = d.text()
	case "codec":
		h.codec, _, err = d.text()
	case "version":
		h.version, err = d.version()
	case "encoding":
		h.encoding, err = d.encodings()
	}
	if err != nil {
		return malformed("envelope has an invalid " + name)
	}
	return nil
}

func (d *decoder) version() (int, error) {
	n, err := d.integer(32)
	if err == nil && n < 1 {
		err = malformed("not a version")
	}
	return int(n), err
}

func (d *decoder) encodings() ([]string, error) {
	empty, err := d.open('[', ']', "an array")
	if err != nil || empty {
		return nil, err
	}
	names := make([]string, 0, 4)
	for more := true; more; {
		var name string
		if name, _, err = d.text(); err != nil {
			return nil, err
		}
		if !isName(name) || slices.Contains(names, name) || len(names) == maxEncodings {
			return nil, malformed("not a list of encodings")
		}
		names = append(names, name)
		if more, err = d.more(']'); err != nil {
			return nil, err
		}
	}
	return names, err
}

// payload checks what had to come before the data or ref, and reads the ref.
func (d *decoder) payload(name string, h *header) (err error) {
	if h.expression == "" {
		return malformed("envelope has no type")
	}
	if name == "data" {
		return nil
	}
	h.hasRef = true
	if h.ref, _, err = d.text(); err != nil || !isRef(h.ref) {
		return malformed("envelope has an invalid ref")
	}
	return nil
}

// endEnvelope takes the end of an envelope, after its data.
func (d *decoder) endEnvelope() error {
	if d.peek() == ',' {
		return malformed("envelope goes on after its data")
	}
	if !d.take('}') {
		return malformed("expected the end of the envelope")
	}
	return nil
}

// end makes sure that nothing but white space is left.
func (d *decoder) end() error {
	if d.peek() != 0 || d.pos < len(d.in) {
		return malformed("text after the envelope")
	}
	return nil
}

// checkNested refuses what only the outermost envelope may have.
func (h *header) checkNested() error {
	if len(h.encoding) > 0 || h.hasRef {
		return malformed("nested envelope has an encoding or a ref")
	}
	return nil
}
