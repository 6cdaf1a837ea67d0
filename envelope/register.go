package envelope

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A registration is what an application said about one type.
type registration struct {
	name         string
	aliases      []string
	goType       reflect.Type
	version      int
	versionGiven bool
	upgrades     map[int]*upgrade // by the version that each begins with
	converter    *converter
	codec        Codec
	readCodecs   []Codec
	// equal is the function of VerifiedBy, or Verified's, nil without them. readsBack is set by AsJSON.
	equal            func(sent, arrives reflect.Value) bool
	readsBack        bool
	ignoreUnexported bool
	staticOnly       bool
	encrypted        bool
	secret           bool
	// assertion is to the interface that is registered, nil for other types.
	assertion assertion
	// encodings are those of EncodedBy, nil without it.
	encodings *[]Encoding
}

func (r *registration) names() []string { return append([]string{r.name}, r.aliases...) }

// isWhole reports whether values are written in another way than their Go type gives: by a converter or a codec.
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

// IgnoreUnexported allows the type to have unexported fields: they are left out, and arrive as zero. Without it, a
// struct with unexported fields is refused, as they would be lost in silence. It holds for the type's own fields and
// those of embedded structs, not for structs in its other fields.
func IgnoreUnexported() TypeOption {
	return func(r *registration) error {
		r.ignoreUnexported = true
		return nil
	}
}

// StaticOnly keeps messages from choosing the type: it is read only where the receiver's own Go type says so (a
// parameter, a struct field), never into an interface. Sending one inside an interface is refused.
func StaticOnly() TypeOption {
	return func(r *registration) error {
		r.staticOnly = true
		return nil
	}
}

// Register makes values of type T known under a wire name, which has to match [A-Za-z][A-Za-z0-9_./-]{0,127} and be
// unused; by convention it is the package and the type, "orders.Order". T has to be a defined type that is neither an
// interface nor a pointer; *T, []T and so on are known with it.
//
// It returns ErrUnsupported, with the path, where T could not be carried exactly: channels, functions, unexported
// fields (see [IgnoreUnexported]), embedded pointers to unexported structs, marshalers that work one way only, promoted
// marshalers that hide other fields or cannot be called on receipt, map keys that text cannot carry. Named types inside
// T, and interfaces, may still be registered after it, with options that change the answer: call [Registry.Check] when
// all are. It returns ErrRegistration for names and options that cannot be used.
//
// A registry that has refused a type is of no use until the type is registered: see [Registry.Err].
func Register[T any](r *Registry, name string, opts ...TypeOption) error {
	t := reflect.TypeFor[T]()
	added, err := newRegistration(t, name, opts)
	if err != nil {
		return r.refuse(t, rooted(goName(t), err))
	}
	return r.add(added)
}

// newRegistration returns what is said about t, if it can be meant.
func newRegistration(t reflect.Type, name string, opts []TypeOption) (*registration, error) {
	if err := checkRegistrable(t); err != nil {
		return nil, err
	}
	added := &registration{name: name, goType: t, version: 1}
	for _, opt := range opts {
		if err := opt(added); err != nil {
			return nil, err
		}
	}
	if err := added.checkUpgrades(); err != nil {
		return nil, err
	}
	return added, added.checkCodecs()
}

// MustRegister is [Register] for programs that cannot go on without the type: it panics on errors.
func MustRegister[T any](r *Registry, name string, opts ...TypeOption) {
	if err := Register[T](r, name, opts...); err != nil {
		panic(fmt.Errorf("envelope.MustRegister: %w", err))
	}
}

// RegisterInterface makes the interface I known under a wire name, so that struct fields, elements and parameters of
// type I can be carried. What travels in them is of registered types that implement I. The empty interface is built in.
// Names follow the rules of [Register].
func RegisterInterface[I any](r *Registry, name string) error {
	t := reflect.TypeFor[I]()
	if t.Kind() != reflect.Interface {
		return r.refuse(t, rooted(goName(t), faults.Newf(ErrRegistration,
			"not an interface: call envelope.Register[%s](registry, %q)", goName(t), name)))
	}
	if t.NumMethod() == 0 {
		return rooted(goName(t), faults.Newf(ErrRegistration, "the empty interface is built in: needs no registration"))
	}
	return r.add(&registration{name: name, goType: t, version: 1, assertion: assertionTo[I]{}})
}

// add checks the registration against those before it and puts a catalog in place that has it.
func (r *Registry) add(added *registration) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	current := r.catalog.Load()
	next, err := current.adding(added)
	if err != nil {
		r.catalog.Store(current.refusing(added.goType, err))
		return err
	}
	r.catalog.Store(next)
	return nil
}

// refuse notes that t was not registered, for the given reason, and returns that.
func (r *Registry) refuse(t reflect.Type, reason error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.catalog.Store(r.catalog.Load().refusing(t, reason))
	return reason
}

// adding returns a catalog that has the registration as well, or why there can be none.
func (c *catalog) adding(added *registration) (*catalog, error) {
	if c.settings.err != nil {
		return nil, rooted(goName(added.goType), c.settings.err)
	}
	if err := added.checkEncrypted(c.settings); err != nil {
		return nil, rooted(goName(added.goType), err)
	}
	if err := c.types.checkNew(added); err != nil {
		return nil, rooted(goName(added.goType), err)
	}
	next := c.with(c.types.with(added))
	return next, next.types.checkOwn(added)
}

// checkNew refuses names that are taken or ill-formed, and types that are registered already.
func (s *typeSet) checkNew(added *registration) error {
	if earlier, ok := s.byType[added.goType]; ok {
		return faults.Newf(ErrRegistration, "already registered as %s: leave out one of the two calls", earlier.name)
	}
	seen := map[string]bool{}
	for _, name := range added.names() {
		if !isName(name) {
			return faults.Newf(ErrRegistration, "%q is not a name: want [A-Za-z][A-Za-z0-9_./-]{0,127}", name)
		}
		if isReserved(name) {
			return faults.Newf(ErrRegistration, "the name %s is reserved: choose another, such as app.%s", name, name)
		}
		if earlier, ok := s.byName[name]; ok {
			return faults.Newf(ErrRegistration, "the name %s belongs to %s: choose another", name, goName(earlier.goType))
		}
		if seen[name] {
			return faults.Newf(ErrRegistration, "the name %s is given twice: leave one out", name)
		}
		seen[name] = true
	}
	return nil
}

// checkRegistrable refuses types that cannot have a name of their own on the wire.
func checkRegistrable(t reflect.Type) error {
	if t.Kind() == reflect.Interface {
		return faults.Newf(ErrRegistration, "an interface: call envelope.RegisterInterface[%s](registry, \"…\")", goName(t))
	}
	if t.Kind() == reflect.Pointer {
		return faults.Newf(ErrRegistration, "a pointer: register %s, pointers to it are known with it", goName(t.Elem()))
	}
	if t.Name() == "" {
		return notDefined(t)
	}
	if _, ok := builtinByType[t]; ok {
		return faults.Newf(ErrRegistration, "built in: needs no registration")
	}
	return nil
}

// notDefined refuses a type without a name, such as []T. It is known with T.
func notDefined(t reflect.Type) error {
	if isComposite(t) && t.Elem().Name() != "" && t.Elem().PkgPath() != "" {
		return faults.Newf(ErrRegistration, "not a defined type: register %s, %s is known with it", goName(t.Elem()), goName(t))
	}
	return faults.Newf(ErrRegistration, "not a defined type: define one, `type T %s`, and register that", goName(t))
}

const maxNameLength = 128

// isName reports whether a wire name matches [A-Za-z][A-Za-z0-9_./-]{0,127}.
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

func isNameByte(c byte) bool {
	return isLetter(c) || jsontext.IsDigit(c) || strings.IndexByte("_./-", c) >= 0
}
