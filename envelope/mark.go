package envelope

import "reflect"

// A mark is something that a registration says about a type, and that holds for everything that holds the type.
type mark func(*registration) bool

func isEncrypted(r *registration) bool { return r.encrypted }
func isSecret(r *registration) bool    { return r.secret }

// holds tells whether values of t are, or may have in their static parts, values of a marked type.
func (c *catalog) holds(t reflect.Type, m mark) bool {
	return c.holdsUnseen(t, m, map[reflect.Type]bool{})
}

func (c *catalog) holdsUnseen(t reflect.Type, m mark, seen map[reflect.Type]bool) bool {
	if known, ok := builtinByType[t]; seen[t] || ok && known.name != "" {
		return false
	}
	seen[t] = true
	if registered := c.byType[t]; registered != nil {
		if m(registered) || c.hadBefore(registered, m, seen) {
			return true
		}
		if registered.converter != nil {
			return c.holdsUnseen(registered.converter.wireType, m, seen)
		}
	}
	switch t.Kind() {
	case reflect.Map:
		return c.holdsUnseen(t.Key(), m, seen) || c.holdsUnseen(t.Elem(), m, seen)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.holdsUnseen(t.Elem(), m, seen)
	case reflect.Struct:
		return c.hasFieldThatHolds(t, m, seen)
	}
	return false
}

// hadBefore tells whether older versions of a type, which are still read, held a marked one.
func (c *catalog) hadBefore(r *registration, m mark, seen map[reflect.Type]bool) bool {
	for _, step := range r.ladder {
		if c.holdsUnseen(step.oldType, m, seen) {
			return true
		}
	}
	return false
}

func (c *catalog) hasFieldThatHolds(t reflect.Type, m mark, seen map[reflect.Type]bool) bool {
	for i := range t.NumField() {
		field := t.Field(i)
		if (field.IsExported() || field.Anonymous) && c.holdsUnseen(field.Type, m, seen) {
			return true
		}
	}
	return false
}

// isEncrypted tells whether what an envelope names, or the type of the place it is for, asks for encryption.
func (c *catalog) isEncrypted(x *expression, t reflect.Type) bool {
	if !c.hasEncrypted {
		return false
	}
	return c.holdsEncrypted(t) || c.names(x, c.holdsEncrypted)
}

func (c *catalog) holdsEncrypted(t reflect.Type) bool {
	if known, ok := c.encrypted.Load(t); ok {
		return known.(bool)
	}
	holds := c.hasEncrypted && c.holds(t, isEncrypted)
	c.encrypted.Store(t, holds)
	return holds
}

// names tells whether an expression names a registered type of which is says so.
func (c *catalog) names(x *expression, is func(reflect.Type) bool) bool {
	for ; x != nil; x = x.element {
		if x.key != nil && c.names(x.key, is) {
			return true
		}
		if registered, ok := c.byName[x.name]; ok && is(registered.goType) {
			return true
		}
	}
	return false
}

// leafNamed is leafOf for the type that an expression stands for.
func (c *catalog) leafNamed(x *expression) *registration {
	for x.element != nil {
		x = x.element
	}
	return c.byName[x.name]
}
