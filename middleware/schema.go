package middleware

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// Schema describes all that the server's tasks put on the wire: what Registry.Schema says of the types, the tasks that
// were registered through the middleware, and whether signatures are required. Register types and tasks before. Equal
// registrations give equal schemas, in every process and version of Go. Package wirelock compares it with a file.
func (m *Middleware) Schema() *wireschema.Schema {
	s := m.values.registry.Schema()
	m.signing.describe(&s.Settings)
	m.wrapped.Range(func(_, registered any) bool {
		s.Tasks = append(s.Tasks, registered.(*task).describe())
		return true
	})
	slices.SortFunc(s.Tasks, func(a, b wireschema.Task) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// describe may be called on nil.
func (g *signing) describe(s *wireschema.Settings) {
	if g == nil {
		return
	}
	s.Signed, s.UnsignedResults, s.AcceptsUnsigned = true, g.unsignedResults, g.AcceptUnsigned
}

func (t *task) describe() wireschema.Task {
	described := wireschema.Task{Name: t.name, Variadic: t.variadic(), TakesNothing: t.takesNothing}
	for i, param := range t.params {
		described.Params = append(described.Params, wireschema.Param{Name: t.nameOf(i), Form: t.formOf(param)})
	}
	for i := range t.results {
		described.Results = append(described.Results, wireschema.Param{Form: t.formOf(t.function.Type().Out(i))})
	}
	return described
}

// formOf is how a parameter or result travels: types that are defined as a base type, and not registered, as that one.
func (t *task) formOf(p reflect.Type) string {
	if p == errorType {
		return "error"
	}
	name, err := t.m.values.registry.TypeName(p)
	if err != nil {
		return p.Kind().String()
	}
	return name
}
