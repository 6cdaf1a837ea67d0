package envelope

import (
	"context"
	"reflect"
)

// An upgrade is one step of a type's ladder, from one version to the next.
type upgrade struct {
	oldType reflect.Type
	newType reflect.Type
	// up takes an addressable value of the old type and returns one of the new type.
	up func(ctx context.Context, old reflect.Value) (reflect.Value, error)
}

// Version says which schema version of the type being registered this program writes; 1 without it. Raise it
// when the JSON form of the type, or of what it statically holds, changes so that older programs would
// misread it. Envelopes of a higher version are refused with ErrUnknownVersion; those of lower ones need
// [Upgrade].
func Version(n int) TypeOption {
	return func(r *registration) error {
		if n < 1 {
			return faultf(ErrRegistration, "Version(%d): versions begin at 1", n)
		}
		r.version = n
		return nil
	}
}

// Upgrade lets envelopes of an older version be read: their data is read into an Old, whose version is from,
// and up makes of it what the type was at version from+1. With one Upgrade for each older version an old
// message climbs step by step; the last step's New has to be the type being registered, or what [Convert]
// makes of it. The function gets the context of the call. Old types are not registered.
//
// Register returns ErrRegistration for steps that do not follow on each other. Missing steps are found by
// [Registry.Check]; envelopes that would need them are refused with ErrUnknownVersion.
func Upgrade[Old, New any](from int, up func(context.Context, Old) (New, error)) TypeOption {
	step := &upgrade{
		oldType: reflect.TypeFor[Old](),
		newType: reflect.TypeFor[New](),
		up: func(ctx context.Context, old reflect.Value) (reflect.Value, error) {
			result, err := up(ctx, *old.Addr().Interface().(*Old))
			return reflect.ValueOf(&result).Elem(), err
		},
	}
	return func(r *registration) error {
		if _, ok := r.ladder[from]; ok {
			return faultf(ErrRegistration, "Upgrade from version %d is given twice", from)
		}
		if r.ladder == nil {
			r.ladder = map[int]*upgrade{}
		}
		r.ladder[from] = step
		return nil
	}
}

// checkLadder refuses steps that lead nowhere.
func (r *registration) checkLadder() error {
	for from, step := range r.ladder {
		if from < 1 || from >= r.version {
			return faultf(ErrRegistration, "Upgrade from version %d does not lead to Version(%d)", from, r.version)
		}
		next, ok := r.ladder[from+1]
		if ok && next.oldType != step.newType {
			return faultf(ErrRegistration, "Upgrade from version %d makes %s, but the next one takes %s",
				from, step.newType, next.oldType)
		}
		if from == r.version-1 && !r.isTop(step.newType) {
			return faultf(ErrRegistration, "Upgrade from version %d makes %s instead of %s", from, step.newType, r.goType)
		}
	}
	return nil
}

// isTop tells whether the ladder may end with a value of type t.
func (r *registration) isTop(t reflect.Type) bool {
	return t == r.goType || r.converter != nil && t == r.converter.wireType
}

// climb returns the steps from a version to the current one, or nil if any is missing.
func (r *registration) climb(from int) []*upgrade {
	var steps []*upgrade
	for version := from; version < r.version; version++ {
		step, ok := r.ladder[version]
		if !ok {
			return nil
		}
		steps = append(steps, step)
	}
	return steps
}

// A ladderPlan reads values of an older version; it writes the current one.
type ladderPlan struct {
	plan
	registration *registration
	old          plan
	steps        []*upgrade
}

func (p *ladderPlan) decode(d *decoder, v reflect.Value) (err error) {
	value := reflect.New(p.steps[0].oldType).Elem()
	if err := p.old.decode(d, value); err != nil {
		return err
	}
	for _, step := range p.steps {
		if value, err = step.up(d.ctx, value); err != nil {
			return err
		}
	}
	if value.Type() != v.Type() {
		return p.registration.converter.from(d.ctx, value, v)
	}
	v.Set(value)
	return nil
}
