package envelope

import (
	"fmt"
	"reflect"
	"strings"
)

// A registration is what an application said about one type.
type registration struct {
	name             string
	aliases          []string
	goType           reflect.Type
	version          int
	ladder           map[int]*upgrade
	converter        *converter
	codec            Codec
	ignoreUnexported bool
	staticOnly       bool
	encrypted        bool
	secret           bool
	// encodings are those of EncodedBy, nil without it.
	encodings *[]Encoding
}

func (r *registration) names() []string { return append([]string{r.name}, r.aliases...) }

// isWhole tells whether values travel in a form of their own, other than what their Go type would give.
func (r *registration) isWhole() bool { return r.converter != nil || r.codec != nil }

// A TypeOption changes how the type being registered travels.
type TypeOption func(*registration) error

// Alias lets envelopes that were sent under former names be read. They are written under the registered name.
func Alias(names ...string) TypeOption {
	return func(r *registration) error {
		r.aliases = append(r.aliases, names...)
		return nil
	}
}

// IgnoreUnexported allows the type to have unexported fields: they are left out, and arrive as zero. Without
// it, a struct with unexported fields is refused, as they would be lost in silence. It holds for the type's
// own fields and those of embedded structs, not for structs in its other fields.
func IgnoreUnexported() TypeOption {
	return func(r *registration) error {
		r.ignoreUnexported = true
		return nil
	}
}

// StaticOnly keeps messages from choosing the type: it is read only where the receiver's own Go type says so
// (a parameter, a struct field), never into an interface. Sending one inside an interface is refused.
func StaticOnly() TypeOption {
	return func(r *registration) error {
		r.staticOnly = true
		return nil
	}
}

// Register makes values of type T known under a wire name, which has to match [A-Za-z][A-Za-z0-9_./-]{0,127}
// and be unused; by convention it is the package and the type, "orders.Order". T has to be a defined type
// that is neither an interface nor a pointer; *T, []T and so on are known with it.
//
// It returns ErrUnsupported, with the path, where T could not be carried exactly: channels, functions,
// unexported fields (see [IgnoreUnexported]), embedded pointers to unexported structs, marshalers that work
// one way only, promoted marshalers that hide other fields, map keys that text cannot carry. Named types
// inside T, and interfaces, may still be registered after it, with options that change the answer: call
// [Registry.Check] when all are. It returns ErrRegistration for names and options that cannot be used.
func Register[T any](r *Registry, name string, opts ...TypeOption) error {
	t := reflect.TypeFor[T]()
	added := &registration{name: name, goType: t, version: 1}
	if err := checkRegistrable(t); err != nil {
		return rooted(t.String(), err)
	}
	for _, opt := range opts {
		if err := opt(added); err != nil {
			return rooted(t.String(), err)
		}
	}
	if err := added.checkLadder(); err != nil {
		return rooted(t.String(), err)
	}
	return r.add(added)
}

// MustRegister is [Register] for programs that cannot go on without the type: it panics on errors.
func MustRegister[T any](r *Registry, name string, opts ...TypeOption) {
	if err := Register[T](r, name, opts...); err != nil {
		panic(fmt.Errorf("envelope.MustRegister: %w", err))
	}
}

// RegisterInterface makes the interface I known under a wire name, so that struct fields, elements and
// parameters of type I can be carried. What travels in them is of registered types that implement I. The
// empty interface is built in. Names follow the rules of [Register].
func RegisterInterface[I any](r *Registry, name string) error {
	t := reflect.TypeFor[I]()
	if t.Kind() != reflect.Interface {
		return rooted(t.String(), faultf(ErrRegistration, "not an interface: use envelope.Register"))
	}
	if t.NumMethod() == 0 {
		return rooted(t.String(), faultf(ErrRegistration, "the empty interface is built in"))
	}
	return r.add(&registration{name: name, goType: t, version: 1})
}

// add checks the registration against those before it and puts a catalog in place that has it.
func (r *Registry) add(added *registration) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.settings.err != nil {
		return rooted(added.goType.String(), r.settings.err)
	}
	if err := added.checkEncrypted(&r.settings); err != nil {
		return rooted(added.goType.String(), err)
	}
	current := r.catalog.Load()
	if err := current.checkNew(added); err != nil {
		return rooted(added.goType.String(), err)
	}
	next := current.with(added)
	if err := next.checkOwn(added); err != nil {
		return err
	}
	r.catalog.Store(next)
	return nil
}

// checkNew refuses names that are taken or ill-formed, and types that are registered already.
func (c *catalog) checkNew(added *registration) error {
	if earlier, ok := c.byType[added.goType]; ok {
		return faultf(ErrRegistration, "already registered as %s", earlier.name)
	}
	seen := map[string]bool{}
	for _, name := range added.names() {
		if !isName(name) {
			return faultf(ErrRegistration, "%q is not a name: want [A-Za-z][A-Za-z0-9_./-]{0,127}", name)
		}
		if isReserved(name) {
			return faultf(ErrRegistration, "the name %s is reserved", name)
		}
		if earlier, ok := c.byName[name]; ok {
			return faultf(ErrRegistration, "the name %s belongs to %s", name, earlier.goType)
		}
		if seen[name] {
			return faultf(ErrRegistration, "the name %s is given twice", name)
		}
		seen[name] = true
	}
	return nil
}

// checkRegistrable refuses types that cannot have a name of their own on the wire.
func checkRegistrable(t reflect.Type) error {
	if t.Kind() == reflect.Interface {
		return faultf(ErrRegistration, "an interface: use envelope.RegisterInterface")
	}
	if t.Kind() == reflect.Pointer {
		return faultf(ErrRegistration, "a pointer: register %s, pointers to it are known with it", t.Elem())
	}
	if t.Name() == "" {
		return faultf(ErrRegistration, "not a defined type: only those have names")
	}
	if _, ok := builtinByType[t]; ok {
		return faultf(ErrRegistration, "built in: needs no registration")
	}
	return nil
}

const maxNameLength = 128

// isName tells whether a wire name matches [A-Za-z][A-Za-z0-9_./-]{0,127}.
func isName(name string) bool {
	if name == "" || len(name) > maxNameLength || !isLetter(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("_./-", c) >= 0
}
