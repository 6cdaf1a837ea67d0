package envelope

import (
	"context"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// An upgrade is one step of a type's upgrade path, from one version to the next.
type upgrade struct {
	oldType reflect.Type
	newType reflect.Type
	// up takes an addressable value of the old type and returns one of the new type.
	up func(ctx context.Context, old reflect.Value) (reflect.Value, error)
}

// Version says which schema version of the type being registered this program writes; 1 without it. Raise it when the
// JSON form of the type, or of what it statically holds, changes so that older programs would misread it. Envelopes of
// a higher version are refused with ErrUnknownVersion; those of lower ones need [Upgrade].
func Version(n int) TypeOption {
	return func(r *registration) error {
		if n < 1 {
			return faults.Newf(ErrRegistration, "Version(%d): versions begin at 1", n)
		}
		if r.versionGiven {
			return faults.Newf(ErrRegistration, "Version is given twice")
		}
		r.version, r.versionGiven = n, true
		return nil
	}
}

// Upgrade lets envelopes of an older version be read: their data is read into an Old, whose version is from, and up
// makes of it what the type was at version from+1. With one Upgrade for each older version an old message is upgraded
// step by step; the last step's New has to be the type being registered, or what [Convert] makes of it. The function
// gets the context of the call. Old types are not registered.
//
// Register returns ErrRegistration for steps that do not follow on each other, and for nil. Missing steps are found by
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
		if up == nil {
			return faults.Newf(ErrRegistration, "Upgrade from version %d got nil", from)
		}
		if _, ok := r.upgrades[from]; ok {
			return faults.Newf(ErrRegistration, "Upgrade from version %d is given twice", from)
		}
		if r.upgrades == nil {
			r.upgrades = map[int]*upgrade{}
		}
		r.upgrades[from] = step
		return nil
	}
}

// checkUpgrades refuses steps that lead nowhere.
func (r *registration) checkUpgrades() error {
	for from, step := range r.upgrades {
		if from < 1 || from >= r.version {
			return faults.Newf(ErrRegistration, "Upgrade from version %d does not lead to Version(%d)", from, r.version)
		}
		next, ok := r.upgrades[from+1]
		if ok && next.oldType != step.newType {
			return faults.Newf(ErrRegistration, "Upgrade from version %d makes %s, but the next one takes %s",
				from, goName(step.newType), goName(next.oldType))
		}
		if from == r.version-1 && !r.isUpgradeGoal(step.newType) {
			return faults.Newf(ErrRegistration, "Upgrade from version %d makes %s instead of %s", from, goName(step.newType), goName(r.goType))
		}
	}
	return nil
}

// isUpgradeGoal reports whether the upgrade path may end with a value of type t.
func (r *registration) isUpgradeGoal(t reflect.Type) bool {
	return t == r.goType || r.converter != nil && t == r.converter.wireType
}

// upgradesFrom returns the steps from a version to the current one, or nil if any is missing.
func (r *registration) upgradesFrom(from int) []*upgrade {
	var steps []*upgrade
	for version := from; version < r.version; version++ {
		step, ok := r.upgrades[version]
		if !ok {
			return nil
		}
		steps = append(steps, step)
	}
	return steps
}

// An upgradePlan reads values of an older version; it writes the current one.
type upgradePlan struct {
	plan
	registration *registration
	old          plan
	steps        []*upgrade
}

func (p *upgradePlan) decode(d *decoder, v reflect.Value) error {
	value, err := d.newValue(p.steps[0].oldType)
	if err != nil {
		return err
	}
	if err := p.old.decode(d, value); err != nil {
		return err
	}
	return p.upgrade(d, value, v)
}

// upgrade sets v to what the steps make of a value of the old type.
func (p *upgradePlan) upgrade(d *decoder, value, v reflect.Value) (err error) {
	for _, step := range p.steps {
		if err := d.in.Charge(sizeOf(step.newType)); err != nil {
			return err
		}
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

// An olderBytesPlan reads a slice whose elements were bytes in an older version, so that it was a string of base64.
type olderBytesPlan struct {
	*slicePlan
	leaf *upgradePlan
}

func (p *olderBytesPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	data, err := d.in.Bytes()
	if err != nil {
		return err
	}
	if err := d.in.Charge(int64(len(data)) * p.size); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(p.goType, len(data), len(data)))
	for i, b := range data {
		old, err := d.newValue(p.leaf.steps[0].oldType)
		if err != nil {
			return err
		}
		old.SetUint(uint64(b))
		if err := p.leaf.upgrade(d, old, v.Index(i)); err != nil {
			return withinElement(i, err)
		}
	}
	return nil
}
