package envelope

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
)

// Check looks at all that is registered together, and reports everything at once that would make sending or
// receiving it fail: interfaces and types that still have to be registered, fields that would be dropped,
// versions that no Upgrade leads from. Call it when all types are registered. The error joins one *[Error] for
// each finding, which fall under ErrUnregistered, ErrUnsupported and ErrUnknownVersion.
func (r *Registry) Check() error {
	c := r.catalog.Load()
	types := make([]*registration, 0, len(c.byType))
	for _, registered := range c.byType {
		types = append(types, registered)
	}
	slices.SortFunc(types, func(a, b *registration) int { return cmp.Compare(a.name, b.name) })
	var findings []error
	reported := map[problem]bool{}
	for _, registered := range types {
		findings = append(findings, c.checkLadder(registered)...)
		for _, found := range c.problems(registered) {
			// What lies in a named type is reported once, though many may hold it.
			key := problem{owner: found.owner, steps: found.steps}
			if !reported[key] {
				reported[key] = true
				findings = append(findings, &Error{Type: registered.name, Path: found.steps, Err: found.err})
			}
		}
	}
	return errors.Join(findings...)
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

// problems finds what cannot be carried in a registered type and its older versions.
func (c *catalog) problems(r *registration) []problem {
	p := newPlanner(c)
	p.plan(r.goType)
	for version := 1; version < r.version; version++ {
		if step, ok := r.ladder[version]; ok && r.codec == nil {
			p.plan(step.oldType)
		}
	}
	return p.problems
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
			return &Error{Type: r.name, Path: found.steps, Err: found.err}
		}
	}
	return nil
}
