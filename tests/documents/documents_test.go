package documents_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documents are the Markdown files of which every Go block must be compiled: a block that is not in this directory,
// line for line, fails a test.
var documents = []string{"README.md", "MIGRATING.md", "SECURITY.md", "envelope/SPEC.md"}

func TestEveryGoBlockIsCompiled(t *testing.T) {
	sources := compiledSources(t)
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join("..", "..", document))
		require.NoError(t, err)
		for i, block := range goBlocks(string(text)) {
			t.Run(fmt.Sprintf("%s, block %d", document, i+1), func(t *testing.T) {
				for _, source := range sources {
					if strings.Contains(source, withoutIndentation(block)) {
						return
					}
				}
				t.Errorf("not in tests/documents, so nobody compiles it:\n%s", block)
			})
		}
	}
}

func TestBlocksAreFound(t *testing.T) {
	blocks := goBlocks("text\n```go\na()\n```\n```sh\nls\n```\n1. text\n   ```go\n   b()\n   ```\n")
	require.Equal(t, []string{"a()\n", "   b()\n"}, blocks)
	require.NotContains(t, strings.Join(compiledSources(t), ""), withoutIndentation("a()\n"))
}

// compiledSources are the Go files of this directory but this one.
func compiledSources(t *testing.T) []string {
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var sources []string
	for _, path := range paths {
		if path == "documents_test.go" {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		sources = append(sources, withoutIndentation(string(text)))
	}
	return sources
}

// goBlocks returns the Go code between fences, those within lists too.
func goBlocks(markdown string) []string {
	var blocks []string
	var block []string
	inside := false
	for line := range strings.Lines(markdown) {
		switch fence := strings.TrimSpace(line); {
		case fence == "```go":
			inside, block = true, nil
		case inside && fence == "```":
			inside, blocks = false, append(blocks, strings.Join(block, ""))
		case inside:
			block = append(block, line)
		}
	}
	return blocks
}

// withoutIndentation leaves what the code says, one statement a line.
func withoutIndentation(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}
