package envelope

import (
	"reflect"
	"strings"
)

// A schema is one way that values of a type were written: in which version, with which codec. Version and
// codec are those of the registered type that the type is, points to or is made up of.
type schema struct {
	goType  reflect.Type
	version int
	codec   string
}

// schemaOf returns the version and codec that values of t are written with now.
func (c *catalog) schemaOf(t reflect.Type) (version int, codec string) {
	leaf := c.leafOf(t)
	if leaf == nil {
		return 1, jsonCodec
	}
	if leaf.codec == nil || dereferenced(t) != leaf.goType {
		return leaf.version, jsonCodec
	}
	return leaf.version, leaf.codec.Name()
}

// leafOf returns the registered type that t is, points to or has as its elements.
func (c *catalog) leafOf(t reflect.Type) *registration {
	seen := map[reflect.Type]bool{}
	for !seen[t] {
		seen[t] = true
		if registered, ok := c.byType[t]; ok {
			return registered
		}
		if _, ok := builtinByType[t]; ok {
			return nil
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		}
	}
	return nil
}

func dereferenced(t reflect.Type) reflect.Type {
	for t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// planAt returns the plan that reads values of t as the header says they were written.
func (c *catalog) planAt(t reflect.Type, h header) (plan, error) {
	if version, codec := c.schemaOf(t); h.version == version && h.codec == codec {
		return c.planFor(t)
	}
	leaf := c.leafOf(t)
	if err := c.checkSchema(leaf, t, h); err != nil {
		return nil, err
	}
	key := schema{goType: t, version: h.version, codec: h.codec}
	if known, ok := c.schemas.Load(key); ok {
		result := known.(planned)
		return result.plan, result.err
	}
	writing := oldWriting{leaf: leaf, version: h.version, codec: leaf.codec}
	if h.codec == jsonCodec && dereferenced(t) == leaf.goType {
		writing.codec = nil
	}
	p := newPlanner(c)
	result := p.settle(t, p.older(t, writing))
	key.codec = strings.Clone(h.codec)
	c.schemas.Store(key, result)
	return result.plan, result.err
}

// An oldWriting says how the registered type, that a type is or is made up of, was written.
type oldWriting struct {
	leaf    *registration
	version int
	codec   Codec
}

// older plans to read what was written otherwise than now. Its plans are not kept for other uses of the types.
func (p *planner) older(t reflect.Type, w oldWriting) plan {
	if t == w.leaf.goType {
		return p.olderLeaf(w)
	}
	element := p.older(t.Elem(), w)
	switch t.Kind() {
	case reflect.Pointer:
		return &pointerPlan{goType: t, element: element}
	case reflect.Slice:
		return &slicePlan{goType: t, element: element}
	case reflect.Array:
		return &arrayPlan{length: t.Len(), element: element}
	}
	key, err := p.catalog.keyPlanFor(t.Key())
	if err != nil {
		return p.fail(err)
	}
	return &mapPlan{goType: t, values: reflect.SliceOf(t.Elem()), key: key, value: element}
}

func (p *planner) olderLeaf(w oldWriting) plan {
	if w.version == w.leaf.version {
		return p.registeredAs(w.leaf, w.codec)
	}
	steps := w.leaf.climb(w.version)
	result := &ladderPlan{plan: p.plan(w.leaf.goType), registration: w.leaf, steps: steps}
	if w.codec != nil {
		result.old = codecPlan{codec: w.codec}
		return result
	}
	result.old = p.plan(steps[0].oldType)
	return result
}

// checkSchema refuses versions and codecs that are not known here.
func (c *catalog) checkSchema(leaf *registration, t reflect.Type, h header) error {
	if leaf == nil {
		if h.version != 1 {
			return faultf(ErrUnknownVersion, "%s has one version only", h.expression)
		}
		return unknownCodec(h)
	}
	if h.version > leaf.version {
		return faultf(ErrUnknownVersion, "version %d of %s is newer than %d", h.version, leaf.name, leaf.version)
	}
	if h.version < leaf.version && leaf.climb(h.version) == nil {
		return faultf(ErrUnknownVersion, "version %d of %s has no Upgrade", h.version, leaf.name)
	}
	hasCodec := leaf.codec != nil && dereferenced(t) == leaf.goType
	if hasCodec && h.codec == leaf.codec.Name() || h.codec == jsonCodec && !(hasCodec && c.registry.settings.isExact(leaf)) {
		return nil
	}
	return unknownCodec(h)
}

// isExact tells whether only the codec that a type is registered with may be read, as its payloads may be encoded.
func (s *settings) isExact(leaf *registration) bool {
	return s.aead != nil || len(s.encodingsOf(leaf)) > 0
}

// codecNamed returns the codec that values of an expression's type are written with now.
func (c *catalog) codecNamed(x *expression) string {
	for x.kind == pointerTo {
		x = x.element
	}
	if registered, ok := c.byName[x.name]; ok && registered.codec != nil {
		return registered.codec.Name()
	}
	return jsonCodec
}

func unknownCodec(h header) error {
	return faultf(ErrUnsupported, "codec of %s is not known here", h.expression)
}
