package envelope

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
)

// A catalog is everything that is registered at one moment, and what was worked out for it. A registration replaces the
// whole catalog, so that reading one takes no lock and plans never mix two moments.
type catalog struct {
	types      *typeSet
	settings   *settings
	composites *compositeTypes

	plans       sync.Map // reflect.Type → planned
	typeInfos   sync.Map // reflect.Type → typeInfoResult
	schemas     sync.Map // schema → planned
	encrypted   sync.Map // reflect.Type → bool
	expressions atomic.Pointer[map[string]*typeInfo]
}

// with returns a catalog of other types.
func (c *catalog) with(types *typeSet) *catalog {
	return &catalog{types: types, settings: c.settings, composites: c.composites}
}

// refusing returns a catalog in which t was refused, unless values of t keep the name that they have, or nothing can be
// written and read anyway.
func (c *catalog) refusing(t reflect.Type, reason error) *catalog {
	if c.settings.err != nil || c.types.hasName(t) {
		return c
	}
	return c.with(c.types.refusing(t, reason))
}

// err returns why nothing can be written or read: that an option of the registry cannot be used, or that types were
// refused which the application means to send. Without their names, or their options, they would travel as something
// else, or in the clear.
func (c *catalog) err() error {
	if c.settings.err != nil {
		return c.settings.err
	}
	if len(c.types.refused) == 0 {
		return nil
	}
	return fmt.Errorf("envelope.Register has refused %w", errors.Join(c.types.refusals()...))
}

// planFor returns the plan of a type, worked out on first use.
func (c *catalog) planFor(t reflect.Type) (plan, error) {
	if known, ok := c.plans.Load(t); ok {
		result := known.(planned)
		return result.plan, result.err
	}
	p := newPlanner(c.types)
	result := p.result(t, p.plan(t))
	c.plans.Store(t, result)
	if result.err == nil {
		c.addPlans(p.plans)
	}
	return result.plan, result.err
}

// addPlans keeps the plans of the types that another type holds.
func (c *catalog) addPlans(plans map[reflect.Type]plan) {
	for t, inner := range plans {
		c.plans.LoadOrStore(t, planned{plan: inner})
	}
}

// isEncrypted reports whether an envelope has to be encrypted, for the type that it names or for the target type that
// it is read into.
func (c *catalog) isEncrypted(x *expression, target reflect.Type) bool {
	if !c.types.hasEncrypted {
		return false
	}
	return c.holdsEncrypted(target) || x.anyNamed(c.types, c.holdsEncrypted)
}

// holdsEncrypted reports whether values of t are, or may statically hold, values of a type registered as Encrypted.
func (c *catalog) holdsEncrypted(t reflect.Type) bool {
	if known, ok := c.encrypted.Load(t); ok {
		return known.(bool)
	}
	holds := c.types.hasEncrypted && c.types.holds(t, isEncrypted)
	c.encrypted.Store(t, holds)
	return holds
}
