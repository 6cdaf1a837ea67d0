// Package upgrades tests what the middleware does to the go.mod of an application.
package upgrades

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	library   = "github.com/machinery-envelope/machinery-envelope"
	machinery = "github.com/RichardKnop/machinery/v2"
	root      = "../../.."
)

// An application that has the middleware has the modules that Machinery v2.0.16 takes it to, but for those of which the
// README says that they are upgraded further.
func TestTheReadmeNamesAllThatIsUpgraded(t *testing.T) {
	without := copyShop(t)
	require.NoError(t, os.Remove(filepath.Join(without, "install.go")))
	run(t, without, "go", "mod", "edit", "-require="+machinery+"@v2.0.16")
	run(t, without, "go", "mod", "tidy")

	with := copyShop(t)
	absolute, err := filepath.Abs(root)
	require.NoError(t, err)
	run(t, with, "go", "mod", "edit", "-require="+library+"@v0.0.0", "-replace="+library+"="+absolute)
	run(t, with, "go", "mod", "tidy")

	before, after := versions(t, without), versions(t, with)
	assert.Equal(t, "v2.0.16", after[machinery])
	delete(after, library)
	upgraded := make(map[string][2]string)
	for module, version := range after {
		if before[module] != version {
			upgraded[module] = [2]string{before[module], version}
		}
	}
	assert.Equal(t, upgradesInReadme(t), upgraded)
	for module := range before {
		assert.Contains(t, after, module)
	}
}

func copyShop(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/shop")))
	return dir
}

func run(t *testing.T, dir string, name string, args ...string) []byte {
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	output, err := command.Output()
	if exit := (*exec.ExitError)(nil); err != nil && assert.ErrorAs(t, err, &exit) {
		require.NoError(t, err, "%s %v: %s", name, args, exit.Stderr)
	}
	return output
}

// versions returns the modules that the go.mod in a folder requires.
func versions(t *testing.T, dir string) map[string]string {
	var file struct {
		Require []struct{ Path, Version string }
	}
	require.NoError(t, json.Unmarshal(run(t, dir, "go", "mod", "edit", "-json"), &file))
	found := make(map[string]string)
	for _, required := range file.Require {
		found[required.Path] = required.Version
	}
	return found
}

var upgrade = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (v[^ ]+) \\| (v[^ ]+) \\|")

// upgradesInReadme returns, by module, the versions that stand in the README's table of upgrades.
func upgradesInReadme(t *testing.T) map[string][2]string {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	found := make(map[string][2]string)
	for _, row := range upgrade.FindAllStringSubmatch(string(text), -1) {
		found[row[1]] = [2]string{row[2], row[3]}
	}
	require.NotEmpty(t, found)
	return found
}
