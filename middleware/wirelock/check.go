package wirelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// TB is what [Check] needs of testing.TB.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// An Option changes what [Check] does.
type Option func(*checker)

// WithSample gives the JSON of a value of an older version of a type, for [Check] to try the upgrade on instead of a
// value that it makes up: for upgrades that refuse such a one, or look it up elsewhere.
func WithSample(name string, version int, data string) Option {
	return func(c *checker) { c.samples[step{name, version}] = data }
}

// Check fails a test if the schema differs from the lock in the file, and says what has changed, who is hurt, how it is
// done without that, and in which order to deploy. With go test -update it writes the lock instead, unless a change is
// breaking: such a one passes with a version step alone, whose upgrade is tried on a value of the old shape. To break
// the wire nevertheless, when nothing of it is left in any queue, delete the file and write it anew.
//
// The test fails too where the lock is missing, cannot be read, was written by a newer version of this module or was
// edited. The schema is that of Middleware.Schema or Registry.Schema with everything registered.
func Check(t TB, schema *wireschema.Schema, file string, opts ...Option) {
	t.Helper()
	c := checker{schema: schema, samples: map[step]string{}}
	for _, opt := range opts {
		opt(&c)
	}
	c.check(t, file, update.on)
}

type checker struct {
	schema  *wireschema.Schema
	samples map[step]string
}

// howToUpdate is the command that writes the lock, with the name of the test where it has one.
func howToUpdate(t TB) string {
	name := "<this test>"
	if named, ok := t.(interface{ Name() string }); ok {
		name = named.Name()
	}
	return "go test -run " + name + " -update, in the folder of the test"
}

// files keeps tests that run in parallel from reading a lock that another one is writing.
var files sync.RWMutex

func (c *checker) check(t TB, file string, mayWrite bool) {
	t.Helper()
	locked, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		c.begin(t, file, mayWrite)
		return
	}
	if err != nil {
		t.Errorf("wire lock %s: %v", file, err)
		return
	}
	changes := append(c.tryUpgrades(locked), Compare(locked, c.schema)...)
	if len(changes) == 0 {
		return
	}
	verdict := Verdict(changes)
	switch {
	case verdict == Breaking:
		t.Errorf("wire lock %s: the wire has changed, and breaks:\n%s", file, list(changes))
	case mayWrite:
		c.write(t, file, "written:\n"+list(changes))
	default:
		t.Errorf("wire lock %s: the wire has changed. To accept that: %s\n%s", file, howToUpdate(t), list(changes))
	}
}

// begin is for a lock that is not there yet.
func (c *checker) begin(t TB, file string, mayWrite bool) {
	t.Helper()
	if !mayWrite {
		t.Errorf("wire lock %s: there is none: write it with %s", file, howToUpdate(t))
		return
	}
	c.write(t, file, "written")
}

// write writes the lock, and logs what it has written.
func (c *checker) write(t TB, file, written string) {
	t.Helper()
	files.Lock()
	defer files.Unlock()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, c.schema.JSON(), 0o644)
	}
	if err != nil {
		t.Errorf("wire lock %s: %v", file, err)
		return
	}
	t.Logf("wire lock %s: %s", file, written)
}

func read(file string) (*wireschema.Schema, error) {
	files.RLock()
	text, err := os.ReadFile(file)
	files.RUnlock()
	if err != nil {
		return nil, err
	}
	s, err := wireschema.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("cannot be used: %w", err)
	}
	return s, nil
}

func list(changes []Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.String()
	}
	return strings.Join(texts, "\n")
}
