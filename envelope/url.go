package envelope

import (
	"net/url"
	"reflect"
)

// urlPlan writes a url.URL as its text, if that parses back to the same value.
type urlPlan struct{}

func (urlPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	address := v.Addr().Interface().(*url.URL)
	if !parsesBack(address) {
		return buf, unsupported("url.URL does not parse back to itself")
	}
	return appendText(buf, address.String())
}

func parsesBack(address *url.URL) bool {
	back, err := url.Parse(address.String())
	return err == nil && reflect.DeepEqual(back, address)
}

func (urlPlan) decode(d *decoder, v reflect.Value) error {
	text, err := d.ownText()
	if err != nil {
		return err
	}
	parsed, err := url.Parse(text)
	if err != nil || !parsesBack(parsed) {
		return mismatch("expected a URL")
	}
	*v.Addr().Interface().(*url.URL) = *parsed
	return nil
}
