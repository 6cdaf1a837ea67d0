package envelope

import (
	"context"
	"errors"
	"reflect"
	"strings"
)

// Secret keeps values of the type being registered, and what holds them, from being shown: [Registry.Inspect] gives
// only the type's name. It changes nothing about how they travel: see [Encrypted] for that.
func Secret() TypeOption {
	return func(r *registration) error {
		r.secret = true
		return nil
	}
}

// Inspect describes an envelope for people, such as those who look through dead letters: what its header says and, in
// a second line, its payload if that is JSON, decrypted and fetched from the store. Of types marked as [Secret], of
// types that hold one, and of envelopes with types that are not registered in them, it gives only the type's name.
//
// Together with an error, of the kinds that [Registry.Unmarshal] returns, comes what could be learned: nothing, the
// type's name or the header. Inspect does not make sure that the payload fits its type.
func (r *Registry) Inspect(ctx context.Context, s string) (string, error) {
	d := newDecoder(ctx, r, s)
	defer d.release()
	text, err := d.inspect()
	return text, rooted("", err)
}

func (d *decoder) inspect() (string, error) {
	if err := d.settings.checkSize(len(d.in)); err != nil {
		return "", err
	}
	h, err := d.header()
	if err != nil {
		return "", err
	}
	x, err := parseExpression(h.expression, d.settings)
	if err != nil {
		return "", err
	}
	if d.catalog.isHidden(x) {
		return strings.Clone(h.expression), nil
	}
	described := Envelope{Type: h.expression, Version: h.version, Codec: h.codec, Encoding: h.encoding, Ref: h.ref}.String()
	if err := d.openPayload(&h, x, reflect.TypeFor[any]()); err != nil {
		return described, err
	}
	d.peek()
	start := d.pos
	if err := d.reveal(); errors.Is(err, errHidden) {
		return strings.Clone(h.expression), nil
	} else if err != nil {
		return described, err
	}
	if h.codec == jsonCodec {
		described += "\n" + d.in[start:d.pos]
	}
	if err := d.endEnvelope(); err != nil {
		return described, err
	}
	return described, d.end()
}

// isHidden tells whether nothing may be shown of what an expression stands for: as it is not known here, or marked.
func (c *catalog) isHidden(x *expression) bool {
	isSecretType := func(t reflect.Type) bool { return c.holds(t, isSecret) }
	return c.unknownName(x) != nil || c.names(x, isSecretType)
}

// errHidden tells of something that may not be shown.
var errHidden = errors.New("not to be shown")

// reveal reads past one value, and returns errHidden if it holds an envelope that may not be shown. An object that only
// looks like one counts, as nobody says here what it is.
func (d *decoder) reveal() error {
	switch c := d.peek(); {
	case c == '[':
		return d.revealEach('[', ']', "an array")
	case c == '{' && d.atEnvelope():
		return d.revealEnvelope()
	case c == '{':
		return d.revealEach('{', '}', "an object")
	}
	return d.skip()
}

func (d *decoder) revealEach(begin, end byte, want string) error {
	empty, err := d.open(begin, end, want)
	for more := err == nil && !empty; more; {
		if end == '}' {
			if _, err := d.key(); err != nil {
				return err
			}
		}
		if err := d.reveal(); err != nil {
			return err
		}
		if more, err = d.more(end); err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) revealEnvelope() error {
	if err := d.enter(); err != nil {
		return err
	}
	h, err := d.header()
	if err != nil {
		return errHidden
	}
	x, err := parseExpression(h.expression, d.settings)
	if err != nil || h.hasRef || d.catalog.isHidden(x) {
		return errHidden
	}
	if err := d.reveal(); err != nil {
		return err
	}
	d.leave()
	return d.endEnvelope()
}
