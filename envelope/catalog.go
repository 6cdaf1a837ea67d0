package envelope

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
)

// A catalog is everything that is registered at one moment, and the plans worked out for it. A registration
// replaces the whole catalog, so that reading one takes no lock and plans never mix two moments.
type catalog struct {
	registry *Registry
	byName   map[string]*registration
	byType   map[reflect.Type]*registration
	// hasEncrypted tells whether any type is registered as Encrypted.
	hasEncrypted bool

	plans       sync.Map // reflect.Type → planned
	wires       sync.Map // reflect.Type → wired
	schemas     sync.Map // schema → planned
	encrypted   sync.Map // reflect.Type → bool
	expressions atomic.Pointer[map[string]*wire]
}

// with returns a catalog that has the registration as well.
func (c *catalog) with(added *registration) *catalog {
	next := &catalog{registry: c.registry, byName: maps.Clone(c.byName), byType: maps.Clone(c.byType)}
	if next.byName == nil {
		next.byName = map[string]*registration{}
		next.byType = map[reflect.Type]*registration{}
	}
	next.byType[added.goType] = added
	next.hasEncrypted = c.hasEncrypted || added.encrypted
	for _, name := range added.names() {
		next.byName[name] = added
	}
	return next
}

// typeNamed finds the type, built in or registered, that a name stands for.
func (c *catalog) typeNamed(name string) (reflect.Type, error) {
	if known, ok := builtinByName[name]; ok {
		return known.goType, nil
	}
	if registered, ok := c.byName[name]; ok {
		return registered.goType, nil
	}
	return nil, faultf(ErrUnknownType, "unknown type %s", name)
}
