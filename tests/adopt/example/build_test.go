package example

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An edit replaces what stands in the example.
type edit struct{ old, new string }

// install is what the documents tell an application to add.
var install = []edit{
	{"import (", `import (
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
`},
	{"return server, server.RegisterTasks(tasksMap)", `if _, err := middleware.Install(server, envelope.NewRegistry()); err != nil {
		return nil, err
	}
	return server, server.RegisterTasks(tasksMap)`},
}

// build builds one of Machinery's examples with edits, as a package of this module, in a folder that exists in an
// overlay only, and returns the binary.
func build(t *testing.T, example string, edits []edit) string {
	dir := t.TempDir()
	module := strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.Dir}}", "github.com/RichardKnop/machinery/v2"))
	source, err := os.ReadFile(filepath.Join(module, "example", example, "main.go"))
	require.NoError(t, err)
	text := string(source)
	for _, e := range edits {
		require.Contains(t, text, e.old)
		text = strings.ReplaceAll(text, e.old, e.new)
	}
	changed, overlay, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "example")
	require.NoError(t, os.WriteFile(changed, []byte(text), 0o600))
	folder, err := filepath.Abs("machinery")
	require.NoError(t, err)
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(folder, "main.go"): changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replace, 0o600))
	goTool(t, "build", "-o", binary, "-overlay", overlay, "-ldflags=-s -w", "./machinery")
	return binary
}

func goTool(t *testing.T, args ...string) string {
	command := exec.Command("go", args...)
	var problems strings.Builder
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, fmt.Sprint(command, ": ", problems.String()))
	return string(output)
}
