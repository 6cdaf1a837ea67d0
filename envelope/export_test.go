package envelope

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// RegisterType is Register for types that are made at run time, which have no name in Go.
func RegisterType(r *Registry, t reflect.Type, name string) error {
	return r.add(&registration{name: name, goType: t, version: 1})
}

// WorkOf returns how many bytes UnmarshalAny reads of a text, those that it reads twice counted twice.
func WorkOf(r *Registry, text string) (int, error) {
	d := newDecoder(context.Background(), r, text)
	defer d.release()
	var target any
	err := d.outermost(text, reflect.ValueOf(&target).Elem())
	return d.in.Work(), err
}

// SettingsOf shows what options of a registry make of its settings, or "error".
func SettingsOf(opts ...Option) string {
	s := newSettings(opts...)
	if s.err != nil {
		return "error"
	}
	s.given = nil
	return fmt.Sprintf("%+v", s)
}

// RegistrationOf shows what options of a type make of its registration, or "error".
func RegistrationOf(opts ...TypeOption) string {
	r := registration{version: 1, goType: reflect.TypeFor[time.Duration]()}
	for _, option := range opts {
		if option(&r) != nil {
			return "error"
		}
	}
	var encodings []Encoding
	if r.encodings != nil {
		encodings, r.encodings = *r.encodings, nil
	}
	slices.Sort(r.aliases)
	return fmt.Sprintf("%+v %+v %d", r, encodings, len(r.upgrades))
}
