package envelope

import (
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A position is where in the definition of a type a planner is. It words what cannot be carried there.
type position struct {
	cures
	steps  []string
	owners []owner
}

// An owner is a named type, and where in the steps its definition begins.
type owner struct {
	goType reflect.Type
	begin  int
}

// in makes t the owner of the problems that follow, until the returned function is called.
func (p *position) in(t reflect.Type) (out func()) {
	p.owners = append(p.owners, owner{goType: t, begin: len(p.steps)})
	return func() { p.owners = p.owners[:len(p.owners)-1] }
}

// outermost returns the named type whose plan is being worked out: the one that a registration can help.
func (p *position) outermost() reflect.Type {
	if len(p.owners) == 0 {
		return nil
	}
	return p.owners[0].goType
}

// nearest returns the named type in whose definition the current place is.
func (p *position) nearest() reflect.Type {
	if len(p.owners) == 0 {
		return nil
	}
	return p.owners[len(p.owners)-1].goType
}

// callFor spells the call that registers t with some options. Types without a name need one first.
func (p *position) callFor(t reflect.Type, options ...string) string {
	if t == nil || t.Name() == "" {
		return "define a type for it and call envelope.MustRegister[T](registry, \"…\", " + strings.Join(options, ", ") + ")"
	}
	return "call " + p.registerCall(t, options...)
}

// valuesCannotTravel refuses channels, functions and unsafe pointers.
func (p *position) valuesCannotTravel(t reflect.Type) error {
	nearest := p.nearest()
	if nearest == nil || nearest == t || !p.isInField() {
		return faults.Newf(ErrUnsupported, "%s values cannot be carried: %s", t.Kind(), p.callFor(nearest, convertOption))
	}
	return faults.Newf(ErrUnsupported, "%s values cannot be carried: tag the field `json:\"-\"` to leave it out, or %s",
		t.Kind(), p.callFor(nearest, convertOption))
}

// isInField reports whether the current place is in a field.
func (p *position) isInField() bool {
	for _, step := range p.steps {
		if strings.HasPrefix(step, ".") {
			return true
		}
	}
	return false
}

// oneWay refuses a type that has half of a pair of marshalers only, by the option that lets encoding/json carry it, or
// the type of its package that holds it.
func (p *position) oneWay(err *oneWayError) error {
	options := []string{"envelope.AsJSON()"}
	if err.writes {
		options = append(options, "envelope.Verified()")
	}
	return faults.Newf(ErrUnsupported, "%s has %s but not %s: %s",
		goName(err.goType), err.has, err.lacks, p.callFor(p.widestOf(err.goType), options...))
}

// widestOf returns the outermost type, of those of the package of t that hold t here, that a call can register beside
// what is registered already: one call then cures all that it holds. It is t if there is none.
func (p *position) widestOf(t reflect.Type) reflect.Type {
	for _, owner := range p.owners {
		if owner.goType.PkgPath() == t.PkgPath() && p.types.byType[owner.goType] == nil {
			return owner.goType
		}
	}
	return t
}

// unregisteredInterface refuses a field of an interface type that is not registered. Only its own package can register
// an interface whose name is unexported, and should not where it is the oneof field of a Protocol Buffers message.
func (p *position) unregisteredInterface(t reflect.Type) error {
	outermost := p.outermost()
	if !isUnexported(t) || outermost == nil || outermost == t {
		return p.unregistered(t)
	}
	if isProtobuf(p.nearest()) {
		return faults.Newf(ErrUnregistered, "interface %s is not registered: %s", goName(t), p.callFor(p.nearest(), protobufOption))
	}
	if outermost.PkgPath() == t.PkgPath() {
		return p.unregistered(t)
	}
	return faults.Newf(ErrUnregistered, "interface %s is not registered, and only its own package can do so: %s",
		goName(t), p.callFor(outermost, convertOption))
}

// nothingExported refuses a struct of which nothing would travel.
func (p *position) nothingExported(t reflect.Type) error {
	return faults.Newf(ErrUnsupported, "%s has no exported fields, so that nothing of it would travel: %s",
		goName(t), p.callFor(t, convertOption))
}

// unexportedFields refuses a struct of which some fields would be lost in silence.
func (p *position) unexportedFields(t reflect.Type, names []string) error {
	what := "unexported field would be dropped"
	if len(names) > 1 {
		what = "unexported fields " + strings.Join(names, ", ") + " would be dropped"
	}
	return faults.Newf(ErrUnsupported, "%s: %s to leave it out, or with %s to carry it",
		what, p.callFor(t, "envelope.IgnoreUnexported()"), convertOption)
}
