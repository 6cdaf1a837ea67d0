package wirelock

import "github.com/machinery-envelope/machinery-envelope/envelope/wireschema"

// SetUpdate turns -update on or off, until the returned function is called.
func SetUpdate(on bool) (restore func()) {
	before := update.on
	update.on = on
	return func() { update.on = before }
}

// Sample makes up a value of a type.
func Sample(s *wireschema.Schema, name string) (string, bool) {
	x := newIndex(s)
	return x.sample(x.types[name])
}
