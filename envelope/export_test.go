package envelope

import "reflect"

// RegisterType is Register for types that are made at run time, which have no name in Go.
func RegisterType(r *Registry, t reflect.Type, name string) error {
	return r.add(&registration{name: name, goType: t, version: 1})
}
