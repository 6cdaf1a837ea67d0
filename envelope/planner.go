package envelope

import (
	"reflect"
)

// A planner works out the plans of a type and of all that it statically holds, and notes what cannot be
// carried on the way.
type planner struct {
	catalog  *catalog
	plans    map[reflect.Type]plan
	steps    []string
	owners   []owner
	problems []problem
}

// An owner is a named type, and where in the steps its definition begins.
type owner struct {
	goType reflect.Type
	begin  int
}

// A problem is a reason why a type cannot be carried. Its owner is the named type in whose definition it lies.
type problem struct {
	owner reflect.Type
	// inside leads to the problem from its owner, path from the root.
	inside string
	path   string
	err    error
}

func newPlanner(c *catalog) *planner {
	return &planner{catalog: c, plans: map[reflect.Type]plan{}}
}

// finish settles the plan of t, and keeps the plans of all that t holds if there was no problem.
func (p *planner) finish(t reflect.Type, result plan) planned {
	settled := p.settle(t, result)
	if settled.err != nil {
		return settled
	}
	for inner, innerPlan := range p.plans {
		p.catalog.plans.LoadOrStore(inner, planned{plan: innerPlan})
	}
	return settled
}

// settle returns the plan of t, or the first problem there was.
func (p *planner) settle(t reflect.Type, result plan) planned {
	if len(p.problems) == 0 {
		return planned{plan: result}
	}
	first := p.problems[0]
	return planned{err: &Error{Type: p.catalog.label(t), Path: first.path, Err: first.err}}
}

// label names a type in errors: by its wire name if it has one.
func (c *catalog) label(t reflect.Type) string {
	if registered, ok := c.byType[t]; ok {
		return registered.name
	}
	return t.String()
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
	if registered, ok := p.catalog.byType[t]; ok {
		return p.registered(registered)
	}
	return p.structural(t)
}

// keep notes the plan of t before what t holds is looked at, which may be t again.
func keep[P plan](p *planner, t reflect.Type, result P) P {
	p.plans[t] = result
	return result
}

// in makes t the owner of the problems that follow, until the returned function is called.
func (p *planner) in(t reflect.Type) (out func()) {
	p.owners = append(p.owners, owner{goType: t, begin: len(p.steps)})
	return func() { p.owners = p.owners[:len(p.owners)-1] }
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
