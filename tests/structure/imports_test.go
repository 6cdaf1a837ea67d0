package structure_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// layers are the folders at the top. A package imports those of its own layer and of the layers before.
var layers = [][]string{{"envelope"}, {"middleware"}, {"adapters"}, {"example_app", "tests"}}

func layerOf(path string) int {
	return slices.IndexFunc(layers, func(folders []string) bool { return within(path, folders...) })
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range packages(t) {
		require.NotEqual(t, -1, layerOf(p.path()), "%s is in no layer", p.path())
		for _, imported := range p.ownImports() {
			assert.LessOrEqual(t, layerOf(imported), layerOf(p.path()), "%s imports %s", p.path(), imported)
		}
	}
}

// Packages in adapters that are no adapter are what adapters have in common. A command may use all of them.
func TestAdaptersDoNotImportEachOther(t *testing.T) {
	adapters := []string{"adapters/redisadapter", "adapters/amqpadapter"}
	for _, p := range packages(t) {
		if !within(p.path(), "adapters") || p.Name == "main" {
			continue
		}
		for _, imported := range p.ownImports() {
			for _, adapter := range adapters {
				if within(imported, adapter) {
					assert.True(t, within(p.path(), adapter), "%s imports %s", p.path(), imported)
				}
			}
		}
	}
}

func TestInternalPackagesOfTheMiddlewareKnowOnlyTheEnvelope(t *testing.T) {
	for _, path := range []string{"middleware/internal/sign", "middleware/internal/native"} {
		all := packages(t)
		i := slices.IndexFunc(all, func(p goPackage) bool { return p.path() == path })
		if !assert.NotEqual(t, -1, i, "there is no package %s", path) {
			continue
		}
		for _, imported := range all[i].ownImports() {
			assert.True(t, within(imported, "envelope"), "%s imports %s", path, imported)
		}
	}
}

// What compares schemas needs no Machinery, and what describes them nothing at all.
func TestSchemasOfTheWireKnowNoMiddleware(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.ownImports() {
			assert.NotEqual(t, "envelope/wireschema", p.path(), "it imports %s", imported)
			assert.True(t, p.path() != "middleware/wirelock" || within(imported, "envelope"), "middleware/wirelock imports %s", imported)
		}
	}
}

// A user's binary has no library for tests in it.
func TestLibrariesDependOnNothingForTests(t *testing.T) {
	forTests := []string{"github.com/stretchr/testify", "github.com/alicebob/miniredis"}
	helpers := []string{"adapters/internal/adaptertest"} // packages that our own tests alone import
	for _, p := range packages(t) {
		if !within(p.path(), "envelope", "middleware", "adapters") || within(p.path(), helpers...) {
			continue
		}
		for _, dependency := range p.Deps {
			assert.False(t, within(dependency, forTests...) || within(dependency, module+"/tests"),
				"%s depends on %s", p.path(), dependency)
		}
	}
}

func TestTheTopLevelHasNoOtherFolders(t *testing.T) {
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			assert.NotEqual(t, -1, layerOf(entry.Name()), "%s is a folder at the top", entry.Name())
		}
	}
}
