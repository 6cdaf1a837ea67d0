package wirelock_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

// This package's tests have a flag of the same name as wirelock's: they do not clash.
var update = flag.Bool("update", false, "write the schemas of the catalogue")

// A change is one class of changes, with a program before and after it.
type change struct {
	name     string
	old, new generation
	// before is the program before the old one. What it has sent is read by the old one.
	before *generation
	// drained reports whether nothing of it is left when the change is made.
	drained bool
}

var catalogue = map[wirelock.Kind][]change{
	wirelock.Breaking:   slices.Concat(breakingFields, breakingTypes, breakingTasks, breakingSettings),
	wirelock.Ordered:    slices.Concat(orderedFields, orderedTypes, orderedTasks, orderedSettings),
	wirelock.Compatible: slices.Concat(compatibleFields, compatibleTypes, compatibleTasks, compatibleSettings),
}

func TestTheCatalogueIsLargeEnough(t *testing.T) {
	assert.GreaterOrEqual(t, len(catalogue[wirelock.Breaking]), 40)
	assert.GreaterOrEqual(t, len(catalogue[wirelock.Compatible]), 40)
	for kind, changes := range catalogue {
		t.Logf("%d %s", len(changes), kind)
	}
}

// Every verdict is reached twice: by the schemas, and by programs of both generations that send each other messages.
func TestEveryVerdictOfTheCatalogueIsProvenOnTheWire(t *testing.T) {
	for kind, changes := range catalogue {
		seen := map[string]bool{}
		for _, c := range changes {
			t.Run(kind.String()+"/"+c.name, func(t *testing.T) {
				require.False(t, seen[c.name], "the name is given twice")
				seen[c.name] = true
				proven, why := c.verdict(t)
				assert.Equal(t, kind, proven, "the wire: %v", why)

				old, new := locked(t, kind, c.name, "old", c.old), locked(t, kind, c.name, "new", c.new)
				found := wirelock.Compare(old, new)
				assert.Equal(t, kind, wirelock.Verdict(found), "the schemas: %v", found)
				for _, one := range found {
					assert.Equal(t, one.Kind == wirelock.Compatible, len(one.Hurt) == 0, "%s", one)
					assert.Equal(t, one.Kind == wirelock.Ordered, one.Order != "", "%s", one)
					assert.Equal(t, one.Kind == wirelock.Breaking, one.Remedy != "", "%s", one)
				}
			})
		}
	}
}

// locked returns the schema of a generation as it is in testdata, and writes it there if that is asked for.
func locked(t *testing.T, kind wirelock.Kind, name, age string, g generation) *wireschema.Schema {
	t.Helper()
	text := schemaOf(t, g).JSON()
	file := filepath.Join("testdata", "catalogue", kind.String(), strings.NewReplacer(" ", "_", "'", "").Replace(name), age+".json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
	written, err := os.ReadFile(file)
	require.NoError(t, err, "go test -run Catalogue -update writes it")
	require.Equal(t, string(text), strings.ReplaceAll(string(written), "\r\n", "\n"))
	s, err := wireschema.Parse(written)
	require.NoError(t, err)
	return s
}

// A box has one field, of any type.
type box[F any] struct {
	ID    string `json:"id"`
	Field F      `json:"field"`
}

// field is a program whose order has a field with one of the values.
func field[F any](values ...F) generation {
	orders := make([]box[F], len(values))
	for i, v := range values {
		orders[i] = box[F]{"o-1", v}
	}
	return of(orders)
}

// of is a program whose task takes orders of a type.
func of[T any](orders []T, opts ...envelope.TypeOption) generation {
	g := takes[func(T) error]()
	g.types = func(r *envelope.Registry) { envelope.MustRegister[T](r, "orders.Order", opts...) }
	for _, order := range orders {
		g.calls = append(g.calls, []any{order})
	}
	return g
}

// takes is a program with a task of a type, which sends calls.
func takes[F any](calls ...[]any) generation {
	return generation{task: reflect.TypeFor[F](), calls: calls}
}

// named gives the parameters of the task names.
func (g generation) named(names ...string) generation {
	g.names = names
	return g
}

// returning lets the task return results.
func (g generation) returning(results ...[]any) generation {
	g.results = results
	return g
}

// with registers more types, before others.
func (g generation) with(register ...func(*envelope.Registry)) generation {
	all := register
	if g.types != nil {
		all = append(slices.Clone(register), g.types)
	}
	g.types = func(r *envelope.Registry) {
		for _, one := range all {
			one(r)
		}
	}
	return g
}

// upgrading says what becomes of values of an older version.
func upgrading[Old, New any](g generation, up func(Old) New) generation {
	g.upgraded = func(v any) any {
		if old, ok := v.(Old); ok {
			return up(old)
		}
		return v
	}
	return g
}

func args(values ...any) []any { return values }

func list[T any](values ...T) []T { return values }

func pointer[T any](v T) *T { return &v }

// registers is a function that registers a type.
func registers[T any](name string, opts ...envelope.TypeOption) func(*envelope.Registry) {
	return func(r *envelope.Registry) { envelope.MustRegister[T](r, name, opts...) }
}

func registersInterface[I any](name string) func(*envelope.Registry) {
	return func(r *envelope.Registry) {
		if err := envelope.RegisterInterface[I](r, name); err != nil {
			panic(err)
		}
	}
}

// upgrade makes an upgrade of a function that cannot fail.
func upgrade[Old, New any](from int, up func(Old) New) envelope.TypeOption {
	return envelope.Upgrade(from, func(_ context.Context, old Old) (New, error) { return up(old), nil })
}
