package envelope

import (
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
)

// A Registry is a closed set of types and the names they travel under, with all that is needed to write and
// read them. Make one with [NewRegistry]. Its methods may be called by any number of goroutines, also while
// types are being registered: a call sees all registrations that were complete when it began.
type Registry struct {
	settings settings
	catalog  atomic.Pointer[catalog]

	// mutex is held while the catalog is being replaced or a composite type made.
	mutex      sync.Mutex
	composites map[string]reflect.Type
}

// NewRegistry returns a registry that knows the built-in types only. Options change its limits and how strict
// it reads; without any, the documented defaults hold.
func NewRegistry(opts ...Option) *Registry {
	r := &Registry{settings: defaultSettings(), composites: map[string]reflect.Type{}}
	for _, opt := range opts {
		opt(&r.settings)
	}
	r.catalog.Store(&catalog{registry: r})
	return r
}

// IsRegistered tells whether t, or what it points to, was registered. Built-in types are not.
func (r *Registry) IsRegistered(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return r.catalog.Load().byType[t] != nil
}

// HasConverter tells whether t was registered with [Convert].
func (r *Registry) HasConverter(t reflect.Type) bool {
	registered := r.catalog.Load().byType[t]
	return registered != nil && registered.converter != nil
}

// TypeName returns the wire type of values of the static type t as [Registry.Marshal] writes it:
// "orders.Order", "[]orders.Order", "*orders.Order", "map[string]int64"; "any" for the empty interface and the
// registered name for others. Named basic types that are not registered are named by their kind inside such
// expressions ("[]string" for []Status), and are refused by themselves. It returns ErrUnregistered, naming the
// type and the call that would register it, or ErrUnsupported for what cannot be carried.
func (r *Registry) TypeName(t reflect.Type) (string, error) {
	if t == nil {
		return anyName, nil
	}
	w, err := r.catalog.Load().wire(t)
	if err != nil {
		return "", err
	}
	return w.expression, nil
}

// Format writes nothing of what the registry was made with, such as keys, whatever the verb.
func (r *Registry) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "envelope.Registry") }
