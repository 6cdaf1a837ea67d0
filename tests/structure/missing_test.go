package structure_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A test that is skipped for want of a program goes unnoticed in CI. What is missing is told by services.Missing, which
// fails there: no test asks for itself.
func TestOneFunctionSkipsWhatIsMissing(t *testing.T) {
	own := filepath.Join(root, "tests", "services")
	asks := "Getenv(" + `"CI")`
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == own:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		assert.NotContains(t, string(text), asks, "%s: services.Missing does that", path)
		return err
	}))
}
