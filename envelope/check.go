package envelope

import (
	"errors"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// Check looks at all that is registered together, and reports everything at once that would make sending or receiving
// it fail: types that [Register] has refused, interfaces and types that still have to be registered, fields that would
// be dropped, versions that no Upgrade leads from. Call it when all types are registered. The error joins one *[Error]
// for each finding, which fall under ErrUnregistered, ErrUnsupported, ErrUnknownVersion and, for options of the
// registry, ErrRegistration.
func (r *Registry) Check() error {
	types := r.catalog.Load().types
	findings := types.refusals()
	if r.settings.err != nil {
		findings = append(findings, rooted("", r.settings.err))
	}
	reported := map[place]bool{}
	for _, registered := range types.sorted() {
		findings = append(findings, types.missingUpgrades(registered)...)
		for _, root := range registered.roots() {
			findings = append(findings, types.checkType(root, reported)...)
		}
	}
	return errors.Join(findings...)
}

// A place is one in the definition of a named type. It is reported once, though many types may hold that type.
type place struct {
	owner  reflect.Type
	inside string
}

func (s *typeSet) checkType(t reflect.Type, reported map[place]bool) (findings []error) {
	p := newPlanner(s)
	p.plan(t)
	for _, found := range p.problems {
		here := place{owner: found.owner, inside: found.inside}
		if !reported[here] {
			reported[here] = true
			findings = append(findings, &Error{Type: s.label(t), Path: found.path, Err: found.err})
		}
	}
	return findings
}

// missingUpgrades finds the versions that cannot be read.
func (s *typeSet) missingUpgrades(r *registration) (findings []error) {
	for version := 1; version < r.version; version++ {
		if _, ok := r.upgrades[version]; !ok {
			fault := faults.Newf(ErrUnknownVersion, "there is no Upgrade from version %d to %d: %s",
				version, version+1, cures{s}.upgradeCall(version, r))
			findings = append(findings, &Error{Type: r.name, Err: fault})
		}
	}
	return findings
}

// roots lists the types that a registration makes readable: its own, and those of older versions.
func (r *registration) roots() []reflect.Type {
	roots := []reflect.Type{r.goType}
	for version := 1; version < r.version; version++ {
		if step, ok := r.upgrades[version]; ok && r.codec == nil {
			roots = append(roots, step.oldType)
		}
	}
	return roots
}

// checkOwn refuses a type for what lies in its own definition and no later registration could change. The types of its
// fields are looked at when all are registered.
func (s *typeSet) checkOwn(r *registration) error {
	if r.goType.Kind() == reflect.Interface {
		return nil
	}
	p := newPlanner(s)
	p.plan(r.goType)
	for _, found := range p.problems {
		if found.owner == r.goType && !errors.Is(found.err, ErrUnregistered) {
			return &Error{Type: r.name, Path: found.path, Err: found.err}
		}
	}
	return nil
}
