package envelope

import (
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A schema is one way that values of a type were written: in which version, with which codec. Version and codec are
// those of the registered type that the type is, points to or is made up of.
type schema struct {
	goType  reflect.Type
	version int
	codec   string
}

// schemaOf returns the version and codec that values of t are written with now.
func (s *typeSet) schemaOf(t reflect.Type) (version int, codec string) {
	leaf := s.leafOf(t)
	if leaf == nil {
		return 1, jsonCodec
	}
	if leaf.codec == nil || dereferenced(t) != leaf.goType {
		return leaf.version, jsonCodec
	}
	return leaf.version, leaf.codec.Name()
}

func dereferenced(t reflect.Type) reflect.Type {
	for t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// planAt returns the plan that reads values of t as the header says they were written.
func (c *catalog) planAt(t reflect.Type, h header) (plan, error) {
	if version, codec := c.types.schemaOf(t); h.version == version && h.codec == codec {
		return c.planFor(t)
	}
	leaf := c.types.leafOf(t)
	if err := c.checkSchema(leaf, t, h); err != nil {
		return nil, err
	}
	key := schema{goType: t, version: h.version, codec: h.codec}
	if known, ok := c.schemas.Load(key); ok {
		result := known.(planned)
		return result.plan, result.err
	}
	writing := oldWriting{leaf: leaf, version: h.version, codec: leaf.codec}
	if dereferenced(t) == leaf.goType {
		writing.codec = leaf.codecNamed(h.codec)
	}
	p := newPlanner(c.types)
	result := p.result(t, p.older(t, writing))
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
		result := newPointerPlan(t)
		result.element = element
		return result
	case reflect.Slice:
		if leaf, ok := element.(*upgradePlan); ok && w.codec == nil && isByte(p.types, leaf.steps[0].oldType) {
			return &olderBytesPlan{slicePlan: newSlicePlan(t), leaf: leaf}
		}
		result := newSlicePlan(t)
		result.element = element
		return result
	case reflect.Array:
		return &arrayPlan{length: t.Len(), element: element}
	}
	key, err := p.types.keyPlanFor(t.Key())
	if err != nil {
		return p.fail(err)
	}
	result := newMapPlan(t)
	result.key, result.value = key, element
	return result
}

func (p *planner) olderLeaf(w oldWriting) plan {
	if w.version == w.leaf.version {
		return p.registeredAs(w.leaf, w.codec)
	}
	steps := w.leaf.upgradesFrom(w.version)
	result := &upgradePlan{plan: p.plan(w.leaf.goType), registration: w.leaf, steps: steps}
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
			return faults.Newf(ErrUnknownVersion, "version %d of %s is not known here: built-in types have one version only", h.version, h.expression)
		}
		return cures{c.types}.unknownCodec(h, nil)
	}
	if h.version > leaf.version {
		return cures{c.types}.newerVersion(h.version, leaf)
	}
	if h.version < leaf.version && leaf.upgradesFrom(h.version) == nil {
		return cures{c.types}.noUpgrade(h.version, leaf)
	}
	isLeaf := dereferenced(t) == leaf.goType
	if h.codec == jsonCodec {
		if isLeaf && leaf.codec != nil && c.settings.isExact(leaf) {
			return faults.Newf(ErrUnsupported, "%s has to be written in %s here, as its payload may be encoded or encrypted: "+
				"let its sender call %s", h.expression, leaf.codec.Name(), cures{c.types}.registerCall(leaf.goType, "envelope.UseCodec(codec)"))
		}
		return nil
	}
	if isLeaf && leaf.codecNamed(h.codec) != nil {
		return nil
	}
	return cures{c.types}.unknownCodec(h, leaf)
}

// isExact reports whether only the codecs that a type is registered with may be read, as its payloads may be encoded.
func (s *settings) isExact(leaf *registration) bool {
	return s.aead != nil || len(s.encodingsOf(leaf)) > 0
}

// codecIn returns the codec that values of an expression's type are written with now.
func (x *expression) codecIn(s *typeSet) string {
	for x.kind == pointerTo {
		x = x.element
	}
	if registered, ok := s.byName[x.name]; ok && registered.codec != nil {
		return registered.codec.Name()
	}
	return jsonCodec
}
