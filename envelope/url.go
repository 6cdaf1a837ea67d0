package envelope

import (
	"net/url"
	"reflect"
)

// urlPlan writes a url.URL as its text, if that parses back to the same value.
type urlPlan struct{}

func (urlPlan) encode(e *encoder, v reflect.Value) error {
	address := v.Addr().Interface().(*url.URL)
	text := address.String()
	back, err := url.Parse(text)
	if err != nil || !reflect.DeepEqual(back, address) {
		return unsupported("url.URL does not parse back to itself")
	}
	e.buf, err = appendText(e.buf, text)
	return err
}

func (urlPlan) decode(d *decoder, v reflect.Value) error {
	text, err := d.ownText()
	if err != nil {
		return err
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return mismatch("expected a URL")
	}
	*v.Addr().Interface().(*url.URL) = *parsed
	return nil
}
