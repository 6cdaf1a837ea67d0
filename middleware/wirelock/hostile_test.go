package wirelock_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// syntax has types of which each holds all others, as those of a syntax tree do, in fields with a prefix.
func syntax(types int, prefix string) *wireschema.Schema {
	s := &wireschema.Schema{}
	for i := range types {
		t := wireschema.Type{Name: fmt.Sprintf("go:ast.T%02d", i)}
		if i == 0 {
			t = wireschema.Type{Name: "ast.T", Version: 1}
		}
		for j := 1; j < types; j++ {
			t.Fields = append(t.Fields, wireschema.Field{Name: fmt.Sprintf("%s%d", prefix, j), Form: fmt.Sprintf("*go:ast.T%02d", j)})
		}
		s.Types = append(s.Types, t)
	}
	return s
}

// To follow every way through such types would take for ever.
func TestTypesThatHoldOneAnotherAreCompared(t *testing.T) {
	old, new := syntax(30, "f"), syntax(30, "g")
	assert.Empty(t, wirelock.Compare(old, old))
	assert.Equal(t, wirelock.Breaking, wirelock.Verdict(wirelock.Compare(old, new)))
}

func TestTypesThatHoldOneAnotherHaveSamples(t *testing.T) {
	data, ok := wirelock.Sample(syntax(30, "f"), "ast.T")
	require.True(t, ok)
	assert.Less(t, len(data), 1<<20)
}

// anySchema makes up schemas, of sense and of none: names that stand for nothing, types that are themselves, lists of
// nothing.
func anySchema() *rapid.Generator[*wireschema.Schema] {
	names := []string{"a.A", "a.B", "a.C", "go:x.X", "go:x.Y", "int", "int64", "string", "any", "", "error", "struct", "time.Time", "a.I"}
	var form func(t *rapid.T, depth int) string
	form = func(t *rapid.T, depth int) string {
		prefix := rapid.SampledFrom([]string{"", "", "", "*", "[]", "[2]", "[-1]", "map[string]", "map[a.A]", "map[", "[", "json("}).Draw(t, "prefix")
		if prefix == "" || depth == 0 {
			return rapid.SampledFrom(names).Draw(t, "name")
		}
		return prefix + form(t, depth-1)
	}
	params := func(t *rapid.T) (list []wireschema.Param) {
		for range rapid.IntRange(0, 2).Draw(t, "params") {
			list = append(list, wireschema.Param{Name: rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "param"), Form: form(t, 3)})
		}
		return list
	}
	return rapid.Custom(func(t *rapid.T) *wireschema.Schema {
		s := &wireschema.Schema{Interfaces: []wireschema.Interface{{Name: "a.I", Types: []string{"a.A", "*a.B"}}}}
		for _, name := range names[:5] {
			one := wireschema.Type{Name: name, Version: rapid.IntRange(0, 3).Draw(t, "version")}
			if rapid.Bool().Draw(t, "is no struct") {
				one.Form = form(t, 3)
			}
			if rapid.Bool().Draw(t, "has an alias") {
				one.Aliases = []string{rapid.SampledFrom(names).Draw(t, "alias")}
			}
			for from := range rapid.IntRange(0, 2).Draw(t, "upgrades") {
				one.Upgrades = append(one.Upgrades, wireschema.Upgrade{From: from + 1, Form: form(t, 3)})
			}
			for range rapid.IntRange(0, 3).Draw(t, "fields") {
				one.Fields = append(one.Fields, wireschema.Field{Name: rapid.SampledFrom([]string{"a", "A", "b", ""}).Draw(t, "field"), Form: form(t, 3)})
			}
			s.Types = append(s.Types, one)
		}
		s.Tasks = []wireschema.Task{{Name: "t", Variadic: rapid.Bool().Draw(t, "variadic"), Params: params(t), Results: params(t)}}
		return s
	})
}

func TestSchemasOfNoSenseAreComparedToo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := anySchema().Draw(t, "old"), anySchema().Draw(t, "new")
		for _, c := range wirelock.Compare(old, new) {
			_ = c.String()
		}
		for _, registered := range old.Types {
			wirelock.Sample(old, registered.Name)
		}
		old.JSONSchema()
	})
}

// Two types of one name, in different packages or functions, are told apart by a number, which may change.
func TestTypesOfOneNameAreToldApart(t *testing.T) {
	first := func(r *envelope.Registry) {
		type line struct{ A int64 }
		type first struct{ Line line }
		envelope.MustRegister[first](r, "b.First")
	}
	second := func(r *envelope.Registry) {
		type line struct{ B string }
		type second struct{ Line line }
		envelope.MustRegister[second](r, "c.Second")
	}
	ahead := func(r *envelope.Registry) {
		type line struct{ C bool }
		type ahead struct{ Line line }
		envelope.MustRegister[ahead](r, "a.Ahead")
	}
	old := schemaOf(t, anything("text").with(first, second))
	new := schemaOf(t, anything("text").with(ahead, first, second))
	for name, want := range map[string]string{"a.Ahead": "go:wirelock_test.line", "b.First": "go:wirelock_test.line#2", "c.Second": "go:wirelock_test.line#3"} {
		described, _ := new.Type(name)
		assert.Equal(t, want, described.Fields[0].Form)
	}
	assert.Equal(t, wirelock.Compatible, wirelock.Verdict(wirelock.Compare(old, new)), "%v", wirelock.Compare(old, new))
	assert.Equal(t, wirelock.Breaking, wirelock.Verdict(wirelock.Compare(new, old)), "a type is gone")
}

func TestARegistryWithNothingInIt(t *testing.T) {
	none := envelope.NewRegistry().Schema()
	file := lockOf(t, none)
	assert.Empty(t, checked(none, file, false).errors)
	some := schemaOf(t, v2)
	failed := checked(some, file, false)
	require.Len(t, failed.errors, 1)
	assert.Contains(t, failed.errors[0], "compatible: orders.Order: new")
	assert.Empty(t, checked(some, file, true).errors)
	failed = checked(none, file, true)
	require.Len(t, failed.errors, 1)
	assert.Contains(t, failed.errors[0], "breaking: orders.Order: the type is not registered any more")
}

func TestTasksOfEveryKindAreLocked(t *testing.T) {
	s := middlewaretest.NewServer(t, envelope.NewRegistry())
	require.NoError(t, s.Middleware.RegisterTasks(map[string]any{
		"nothing":           func() error { return nil },
		"context":           func(context.Context) error { return nil },
		"any number":        func(...string) error { return nil },
		"and any number":    func(context.Context, int64, ...float64) error { return nil },
		"any values":        func(...any) (any, error) { return nil, nil },
		"several results":   func() (string, int64, error) { return "", 0, nil },
		"one error is sent": func(string) error { return nil },
	}))
	schema := s.Middleware.Schema()
	assert.Empty(t, checked(schema, lockOf(t, schema), false).errors)
	read, err := wireschema.Parse(schema.JSON())
	require.NoError(t, err)
	for name, want := range map[string]string{
		"nothing": "", "context": "", "any number": "...string", "and any number": "int64, ...float64", "any values": "...any",
	} {
		task, ok := read.Task(name)
		require.True(t, ok, name)
		var params []string
		for i, p := range task.Params {
			if task.Variadic && i == len(task.Params)-1 {
				p.Form = "..." + p.Form
			}
			params = append(params, p.Form)
		}
		assert.Equal(t, want, strings.Join(params, ", "), name)
	}
}

func TestALockIsCheckedByManyTestsAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no", "such", "folder", "wire.lock")
	s := schemaOf(t, v2)
	defer wirelock.SetUpdate(true)()
	results := make([]recordedTest, 8)
	var running sync.WaitGroup
	for i := range results {
		running.Go(func() {
			wirelock.Check(&results[i], s, file)
			wirelock.Check(&results[i], s, file)
		})
	}
	running.Wait()
	for _, r := range results {
		assert.Empty(t, r.errors)
	}
}

// A lock in a checkout on Windows is neither changed nor written anew.
func TestALockWithLineEndsOfWindowsStaysAsItIs(t *testing.T) {
	s := schemaOf(t, v2)
	file := filepath.Join(t.TempDir(), "wire.lock")
	text := bytes.ReplaceAll(s.JSON(), []byte("\n"), []byte("\r\n"))
	require.NoError(t, os.WriteFile(file, text, 0o644))
	for _, mayWrite := range []bool{false, true} {
		assert.Equal(t, &recordedTest{}, checked(s, file, mayWrite))
	}
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, text, after)
}

// Permissions do not stop root; that there is a folder where the lock was does.
func TestALockThatMayOnlyBeReadIsAFailureToWrite(t *testing.T) {
	file := lockOf(t, schemaOf(t, of(list(withQty{}))))
	changed := schemaOf(t, of(list(withQuantity{}), envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, old withQty) (withQuantity, error) { // after the lock was read
			require.NoError(t, os.Remove(file))
			require.NoError(t, os.Mkdir(file, 0o755))
			return withQuantity{}, nil
		})))
	requireNotWritten(t, checked(changed, file, true), file)
}

func TestALockInAFolderThatIsNotThereIsAFailureToWrite(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "wire.lock")
	if err := os.Symlink(filepath.Join(folder, "no", "such", "folder"), file); err != nil {
		services.Missing(t, "no symbolic links here: %v", err)
	}
	requireNotWritten(t, checked(schemaOf(t, v2), file, true), file)
}

// requireNotWritten makes sure that a test has failed, and does not say that the lock was written.
func requireNotWritten(t *testing.T, test *recordedTest, file string) {
	t.Helper()
	require.Len(t, test.errors, 1)
	assert.Contains(t, test.errors[0], file)
	assert.Empty(t, test.logs)
}

// A namedTest has a name, as a *testing.T has.
type namedTest struct{ recordedTest }

func (*namedTest) Name() string { return "TestWire/of_orders" }

func TestTheFailureHasTheCommandThatWritesTheLock(t *testing.T) {
	defer wirelock.SetUpdate(false)()
	file := filepath.Join(t.TempDir(), "wire.lock")
	var missing namedTest
	wirelock.Check(&missing, schemaOf(t, v2), file)
	assert.Equal(t, []string{"wire lock " + file + ": there is none: write it with go test -run TestWire/of_orders -update, in the folder of the test"}, missing.errors)
}
