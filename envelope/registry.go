package envelope

import (
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A Registry is a closed set of types and the names they travel under, with all that is needed to write and read them.
// Make one with [NewRegistry]. Its methods may be called by any number of goroutines, also while types are being
// registered: a call sees all registrations that were complete when it began.
type Registry struct {
	settings settings
	catalog  atomic.Pointer[catalog]

	// mutex is held while the catalog is being replaced.
	mutex sync.Mutex
}

// NewRegistry returns a registry that knows the built-in types only. Options change its limits and how strict it reads;
// without any, the documented defaults hold.
func NewRegistry(opts ...Option) *Registry {
	r := &Registry{settings: newSettings(opts...)}
	r.catalog.Store(&catalog{
		types:      &typeSet{verifyAll: r.settings.verifyAll, members: &sync.Map{}},
		settings:   &r.settings,
		composites: &compositeTypes{byText: map[string]reflect.Type{}},
	})
	return r
}

// Err returns ErrRegistration, naming the option, if an option of the registry cannot be used, and what [Register] and
// [RegisterInterface] have returned for types that are still not registered: what the application meant to send as such
// a type would travel as another, or in the clear. The methods that write and read return it too.
func (r *Registry) Err() error {
	return rooted("", r.catalog.Load().err())
}

// IsRegistered reports whether t, or what it points to, was registered. Built-in types are not.
func (r *Registry) IsRegistered(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return r.catalog.Load().types.byType[t] != nil
}

// HasName reports whether t has a wire name of its own: whether it was registered or is built in.
func (r *Registry) HasName(t reflect.Type) bool { return r.catalog.Load().types.hasName(t) }

// TypeNamed returns the type that a wire name or an alias stands for, registered or built in; nil if there is none.
func (r *Registry) TypeNamed(name string) reflect.Type {
	t, err := r.catalog.Load().types.typeNamed(name)
	if err != nil {
		return nil
	}
	return t
}

// RegisteredIn returns the registered type that t is, points to or has as its elements; nil if there is none.
func (r *Registry) RegisteredIn(t reflect.Type) reflect.Type {
	leaf := r.catalog.Load().types.leafOf(t)
	if leaf == nil {
		return nil
	}
	return leaf.goType
}

// CheckFits returns the error with which [Registry.Unmarshal] refuses, by the types alone, what [Registry.Marshal]
// writes of a value of type v, for a target of type t. v is nil for a nil interface.
func (r *Registry) CheckFits(v, t reflect.Type) error {
	if v == nil {
		v = builtinByName[anyName].goType
	}
	current := r.catalog.Load()
	info, err := current.typeInfo(v)
	if err != nil {
		return rooted("", err)
	}
	return rooted(info.expression, current.checkFits(info, t))
}

func (c *catalog) checkFits(info *typeInfo, t reflect.Type) error {
	x, err := parseExpression(info.expression, &c.settings.limits)
	if err != nil {
		return err
	}
	if !info.encrypted && !c.settings.allowUnencrypted && c.isEncrypted(x, t) {
		return unencrypted(info.expression)
	}
	if info.expression == anyName && t.Kind() != reflect.Interface {
		return checkNilable(t)
	}
	d := decoder{
		resolver: resolver{catalog: c},
		settings: c.settings,
		in:       jsontext.NewReader(info.expression, c.settings.limits.nesting(), jsontext.Unbounded()),
	}
	return d.checkTarget(x, t)
}

// TypeName returns the wire type of values of the static type t as [Registry.Marshal] writes it: "orders.Order",
// "[]orders.Order", "*orders.Order", "map[string]int64"; "any" for the empty interface and the registered name for
// others. Named basic types that are not registered are named by their kind inside such expressions ("[]string" for
// []Status), and are refused by themselves. It returns ErrUnregistered, naming the type and the call that would
// register it, or ErrUnsupported for what cannot be carried.
func (r *Registry) TypeName(t reflect.Type) (string, error) {
	if t == nil {
		return anyName, nil
	}
	info, err := r.catalog.Load().typeInfo(t)
	if err != nil {
		return "", err
	}
	return info.expression, nil
}

// Format writes nothing of what the registry was made with, such as keys, whatever the verb.
func (r *Registry) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "envelope.Registry") }
