package envelope

import (
	"reflect"
)

// A planner works out the plans of a type and of all that it statically holds, and notes what cannot be carried on the
// way.
type planner struct {
	position
	plans    map[reflect.Type]plan
	problems []problem
}

// A problem is a reason why a type cannot be carried. Its owner is the named type in whose definition it lies.
type problem struct {
	owner reflect.Type
	// inside leads to the problem from its owner, path from the root.
	inside string
	path   string
	err    error
}

func newPlanner(s *typeSet) *planner {
	return &planner{position: position{cures: cures{s}}, plans: map[reflect.Type]plan{}}
}

// result returns the plan of t, or the first problem there was.
func (p *planner) result(t reflect.Type, made plan) planned {
	if len(p.problems) == 0 {
		return planned{plan: made}
	}
	first := p.problems[0]
	return planned{err: &Error{Type: p.types.label(t), Path: first.path, Err: first.err}}
}

// plan returns the plan of t. For a type that holds itself it may be one that is still being worked out.
func (p *planner) plan(t reflect.Type) plan {
	if known, ok := builtinByType[t]; ok {
		return known.plan
	}
	if known, ok := p.plans[t]; ok {
		return known
	}
	if t.Name() != "" {
		defer p.in(t)()
	}
	if registered, ok := p.types.byType[t]; ok {
		return p.registered(registered)
	}
	return p.structural(t)
}

// keep notes the plan of t before what t holds is looked at, which may be t again.
func keep[P plan](p *planner, t reflect.Type, result P) P {
	p.plans[t] = result
	return result
}

// failAt notes a problem one step further in.
func (p *planner) failAt(step string, err error) {
	p.steps = append(p.steps, step)
	p.fail(err)
	p.steps = p.steps[:len(p.steps)-1]
}

// step plans what lies one step further in.
func (p *planner) step(step string, t reflect.Type) plan {
	p.steps = append(p.steps, step)
	result := p.plan(t)
	p.steps = p.steps[:len(p.steps)-1]
	return result
}

// fail notes a problem at the current place, and stands in for the plan that cannot be made.
func (p *planner) fail(err error) plan {
	var nearest owner
	if len(p.owners) > 0 {
		nearest = p.owners[len(p.owners)-1]
	}
	p.problems = append(p.problems, problem{
		owner:  nearest.goType,
		inside: joinSteps(p.steps[nearest.begin:]),
		path:   joinSteps(p.steps),
		err:    err,
	})
	return failedPlan{err: err}
}

// A failedPlan keeps a place in plans that are never used, because they have a problem.
type failedPlan struct{ err error }

func (f failedPlan) encode(_ *encoder, buf []byte, _ reflect.Value) ([]byte, error) {
	return buf, f.err
}

func (f failedPlan) decode(*decoder, reflect.Value) error { return f.err }
