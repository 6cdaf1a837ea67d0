package wirelock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

// A recordedTest is a test that does not end at what it reports.
type recordedTest struct{ errors, logs []string }

func (*recordedTest) Helper() {}

func (r *recordedTest) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recordedTest) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// checked returns what Check reports of a schema and a file, with and without -update.
func checked(s *wireschema.Schema, file string, mayWrite bool, opts ...wirelock.Option) *recordedTest {
	r := &recordedTest{}
	defer wirelock.SetUpdate(mayWrite)()
	wirelock.Check(r, s, file, opts...)
	return r
}

func lockOf(t *testing.T, s *wireschema.Schema) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "testdata", "wire.lock")
	require.Empty(t, checked(s, file, true).errors)
	return file
}

func TestALockIsWrittenOnDemand(t *testing.T) {
	s := schemaOf(t, v2)
	file := filepath.Join(t.TempDir(), "wire.lock")
	assert.Equal(t, []string{"wire lock " + file + ": there is none: write it with go test -run <this test> -update, in the folder of the test"}, checked(s, file, false).errors)
	assert.NoFileExists(t, file)
	assert.Empty(t, checked(s, file, true).errors)
	assert.Empty(t, checked(s, file, false).errors)
}

func TestCompatibleAndOrderedChangesAreWrittenOnDemand(t *testing.T) {
	for name, now := range map[string]*wireschema.Schema{
		"compatible: orders.Order.qty: new":                   schemaOf(t, of(list(withQty{}))),
		"order   readers first: deploy workers, then senders": schemaOf(t, of(list(idOnly{}), envelope.Version(2), upgrade(1, func(o idOnly) idOnly { return o }))),
	} {
		file := lockOf(t, schemaOf(t, of(list(idOnly{}))))
		failed := checked(now, file, false)
		require.Len(t, failed.errors, 1)
		assert.Contains(t, failed.errors[0], name)
		assert.Contains(t, failed.errors[0], "To accept that: go test -run <this test> -update, in the folder of the test")
		written := checked(now, file, true)
		assert.Empty(t, written.errors)
		assert.Contains(t, written.logs[0], name)
		assert.Empty(t, checked(now, file, false).errors)
	}
}

func TestBreakingChangesAreNeverWritten(t *testing.T) {
	file := lockOf(t, schemaOf(t, of(list(withQty{}))))
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	failed := checked(schemaOf(t, of(list(withTextQty{}))), file, true)
	require.Len(t, failed.errors, 1)
	assert.Equal(t, "wire lock "+file+`: the wire has changed, and breaks:
breaking: orders.Order.qty: int64 becomes string
    hurts   new workers, by what old senders have sent: queued, delayed and retried messages, periodic tasks, dead letters
    hurts   old workers, by new senders
    remedy  orders.Order: envelope.Version(2) and envelope.Upgrade(1, …) from the type as it was`, failed.errors[0])
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestUpgradesAreTriedOnAValueOfTheOldShape(t *testing.T) {
	failing := func(up func(withQty) (withQuantity, error)) *wireschema.Schema {
		return schemaOf(t, of(list(withQuantity{}), envelope.Version(2),
			envelope.Upgrade(1, func(_ context.Context, old withQty) (withQuantity, error) { return up(old) })))
	}
	file := lockOf(t, schemaOf(t, of(list(withQty{}))))
	refuses := func(old withQty) (withQuantity, error) {
		if old.ID != "o-1" {
			return withQuantity{}, errors.New("no such order")
		}
		return withQuantity{}, nil
	}
	failed := checked(failing(refuses), file, true)
	require.Len(t, failed.errors, 1)
	assert.Contains(t, failed.errors[0], "breaking: orders.Order: Upgrade(1) was tried on a value of the old shape: orders.Order: no such order\n"+
		"    remedy  mend the upgrade, or give a value that it takes by wirelock.WithSample(\"orders.Order\", 1, …)")
	failed = checked(failing(func(withQty) (withQuantity, error) { panic("no") }), file, true)
	require.Len(t, failed.errors, 1)
	assert.Contains(t, failed.errors[0], "panic: no")
	assert.Empty(t, checked(failing(refuses), file, true, wirelock.WithSample("orders.Order", 1, `{"id":"o-1"}`)).errors)
}

// Values that are made up are read by the very types that they are made for.
func TestSamplesAreReadAsTheirOwnType(t *testing.T) {
	for kind, changes := range catalogue {
		for _, c := range changes {
			s := schemaOf(t, c.old)
			for _, registered := range s.Types {
				if data, ok := wirelock.Sample(s, registered.Name); ok && registered.Version > 0 {
					err := s.Try(t.Context(), registered.Name, registered.Version, data)
					assert.NoError(t, err, "%s/%s: %s", kind, c.name, data)
				}
			}
		}
	}
}

func TestLocksThatCannotBeUsed(t *testing.T) {
	s := schemaOf(t, v2)
	text := string(s.JSON())
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no JSON":           {"lock", wireschema.ErrMalformed},
		"empty":             {"", wireschema.ErrMalformed},
		"other JSON":        {"{}", wireschema.ErrMalformed},
		"newer":             {strings.Replace(text, `"wire": 1`, `"wire": 2`, 1), wireschema.ErrNewer},
		"newer and unknown": {`{"wire": 3, "news": []}`, wireschema.ErrNewer},
		"a type edited":     {strings.Replace(text, "int64", "int32", 1), wireschema.ErrEdited},
		"a member added":    {strings.Replace(text, `"settings"`, `"more": 1, "settings"`, 1), wireschema.ErrEdited},
		"cut off":           {text[:len(text)/2], wireschema.ErrMalformed},
		"conflicting":       {"<<<<<<< HEAD\n" + text, wireschema.ErrMalformed},
		"text after it":     {text + "{}", wireschema.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wireschema.Parse([]byte(c.text))
			require.ErrorIs(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")

			file := filepath.Join(t.TempDir(), "wire.lock")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o644))
			for _, mayWrite := range []bool{false, true} {
				assert.Equal(t, []string{"wire lock " + file + ": cannot be used: " + err.Error()}, checked(s, file, mayWrite).errors)
			}
		})
	}
}

func TestALockThatCannotBeReadOrWritten(t *testing.T) {
	folder := t.TempDir()
	failed := checked(schemaOf(t, v2), folder, false)
	require.Len(t, failed.errors, 1)
	assert.NotContains(t, failed.errors[0], "\n")
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	failed = checked(schemaOf(t, v2), filepath.Join(file, "wire.lock"), true)
	assert.Len(t, failed.errors, 1)
}

func TestLineEndsOfWindowsDoNotMatter(t *testing.T) {
	text := strings.ReplaceAll(string(schemaOf(t, v2).JSON()), "\n", "\r\n")
	_, err := wireschema.Parse([]byte(text))
	assert.NoError(t, err)
}

func TestEveryFieldThatHasChangedIsNamed(t *testing.T) {
	type before struct{ A, B, C int64 }
	type after struct {
		A, B string
		C    int32
	}
	var places []string
	for _, c := range wirelock.Compare(schemaOf(t, of(list(before{}))), schemaOf(t, of(list(after{})))) {
		places = append(places, c.Where)
	}
	assert.Equal(t, []string{"orders.Order.A", "orders.Order.B", "orders.Order.C"}, places)
}
