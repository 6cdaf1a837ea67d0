package documents_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each row of a table in SECURITY.md has a test that attacks it, and says so in its comment.
func TestEveryRowOfSecurityIsAttacked(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "SECURITY.md"))
	require.NoError(t, err)
	attacks := attacked(t)
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.SplitN(line, "|", 3)
		if len(cells) != 3 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "" {
			continue
		}
		rows++
		row := strings.TrimSpace(cells[1])
		assert.True(t, attacks[row], "no test has the comment // SECURITY.md: %s", row)
		delete(attacks, row)
	}
	assert.Greater(t, rows, 10)
	assert.Empty(t, attacks, "no such rows")
}

// attacked are the rows that tests name.
func attacked(t *testing.T) map[string]bool {
	rows := make(map[string]bool)
	for _, folder := range []string{"tests/security", "middleware"} {
		paths, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if row, ok := strings.CutPrefix(line, "// SECURITY.md: "); ok {
					rows[strings.TrimSpace(row)] = true
				}
			}
		}
	}
	return rows
}
