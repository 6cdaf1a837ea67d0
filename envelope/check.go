package envelope

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
)

// Check looks at all that is registered together, and reports everything at once that would make sending or
// receiving it fail: interfaces and types that still have to be registered, fields that would be dropped,
// versions that no Upgrade leads from. Call it when all types are registered. The error joins one *[Error] for
// each finding, which fall under ErrUnregistered, ErrUnsupported, ErrUnknownVersion and, for options of the registry,
// ErrRegistration.
func (r *Registry) Check() error {
	c := r.catalog.Load()
	registrations := slices.SortedFunc(maps.Values(c.byType), func(a, b *registration) int {
		return cmp.Compare(a.name, b.name)
	})
	var findings []error
	if r.settings.err != nil {
		findings = append(findings, rooted("", r.settings.err))
	}
	reported := map[place]bool{}
	for _, registered := range registrations {
		findings = append(findings, c.checkLadder(registered)...)
		for _, root := range registered.roots() {
			findings = append(findings, c.checkType(root, reported)...)
		}
	}
	return errors.Join(findings...)
}

// A place is one in the definition of a named type. It is reported once, though many types may hold that type.
type place struct {
	owner  reflect.Type
	inside string
}

func (c *catalog) checkType(t reflect.Type, reported map[place]bool) (findings []error) {
	p := newPlanner(c)
	p.plan(t)
	for _, found := range p.problems {
		here := place{owner: found.owner, inside: found.inside}
		if !reported[here] {
			reported[here] = true
			findings = append(findings, &Error{Type: c.label(t), Path: found.path, Err: found.err})
		}
	}
	return findings
}

// checkLadder finds the versions that cannot be read.
func (c *catalog) checkLadder(r *registration) (findings []error) {
	for version := 1; version < r.version; version++ {
		if _, ok := r.ladder[version]; !ok {
			fault := faultf(ErrUnknownVersion, "there is no Upgrade from version %d to %d", version, version+1)
			findings = append(findings, &Error{Type: r.name, Err: fault})
		}
	}
	return findings
}

// roots lists the types that a registration makes readable: its own, and those of older versions.
func (r *registration) roots() []reflect.Type {
	roots := []reflect.Type{r.goType}
	for version := 1; version < r.version; version++ {
		if step, ok := r.ladder[version]; ok && r.codec == nil {
			roots = append(roots, step.oldType)
		}
	}
	return roots
}

// checkOwn refuses a type for what lies in its own definition and no later registration could change. The
// types of its fields are looked at when all are registered.
func (c *catalog) checkOwn(r *registration) error {
	if r.goType.Kind() == reflect.Interface {
		return nil
	}
	p := newPlanner(c)
	p.plan(r.goType)
	for _, found := range p.problems {
		if found.owner == r.goType && !errors.Is(found.err, ErrUnregistered) {
			return &Error{Type: r.name, Path: found.path, Err: found.err}
		}
	}
	return nil
}
