package envelope

import (
	"net/url"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// urlPlan writes a url.URL as its text, if that parses back to an equal one.
type urlPlan struct{}

func (urlPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	address := v.Addr().Interface().(*url.URL)
	if !parsesBack(address) {
		return buf, faults.Unsupported("url.URL does not parse back to itself: send what `url.Parse(u.String())` returns")
	}
	return jsontext.AppendText(buf, address.String())
}

// parsesBack reports whether the text of a URL stands for it: parsed, it has the same text and the same parts. How the
// path and the fragment are kept, decoded or as they were spelled, does not count.
func parsesBack(address *url.URL) bool {
	text := address.String()
	back, err := url.Parse(text)
	return err == nil && back.String() == text && back.Scheme == address.Scheme && back.Opaque == address.Opaque &&
		back.Host == address.Host && back.RawQuery == address.RawQuery && back.Fragment == address.Fragment &&
		reflect.DeepEqual(back.User, address.User)
}

func (urlPlan) decode(d *decoder, v reflect.Value) error {
	text, err := d.in.OwnText()
	if err != nil {
		return err
	}
	if err := d.in.Charge(urlMemory + perURLByte*int64(len(text))); err != nil {
		return err
	}
	parsed, err := url.Parse(text)
	if err != nil || !parsesBack(parsed) {
		return faults.Mismatch("expected a URL")
	}
	*v.Addr().Interface().(*url.URL) = *parsed
	return nil
}
