package documents_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const maxFilesPerFlow = 5

// flows are those that CONTRIBUTING.md has a map of.
var flows = []string{
	"send", "receive", "await", "retry", "dead letter", "replay", "delayed", "chord", "signed", "encrypted", "test kit", "wire lock",
}

// pathInText is a file or folder of the module, as it stands in a document.
var pathInText = regexp.MustCompile("`((?:envelope|middleware|adapters|example_app|tests)/[^` ]*)`")

func TestContributingMapsEveryFlow(t *testing.T) {
	rows := contributingRows(t)
	for _, flow := range flows {
		files := pathInText.FindAllStringSubmatch(rows[flow], -1)
		assert.NotEmpty(t, files, "%s has no files", flow)
		assert.LessOrEqual(t, len(files), maxFilesPerFlow, "%s", flow)
	}
}

func TestEveryFileInContributingExists(t *testing.T) {
	paths := pathInText.FindAllStringSubmatch(contributing(t), -1)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		_, err := os.Stat(filepath.Join("..", "..", path[1]))
		assert.NoError(t, err)
	}
}

// contributingRows are the rows of all tables, by their first cell.
func contributingRows(t *testing.T) map[string]string {
	rows := make(map[string]string)
	for line := range strings.Lines(contributing(t)) {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			rows[strings.TrimSpace(cells[1])] = cells[2]
		}
	}
	return rows
}

func contributing(t *testing.T) string {
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	require.NoError(t, err)
	return string(text)
}
