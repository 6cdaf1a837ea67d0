package compatibility_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// suite is the file in which Machinery's tests register their tasks.
const suite = "suite_test.go"

// buildMachinerysTests builds Machinery's integration tests into dir and returns the binary. They are built as a
// package of this module, so with its go.mod, in a folder that exists in an overlay only.
func buildMachinerysTests(dir string) (string, error) {
	module, err := goTool("list", "-m", "-f", "{{.Dir}}", "github.com/RichardKnop/machinery/v2")
	if err != nil {
		return "", err
	}
	overlay, err := writeOverlay(dir, filepath.Join(strings.TrimSpace(module), "integration-tests"))
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "machinery.test")
	_, err = goTool("test", "-c", "-o", binary, "-overlay", overlay,
		"-vet=off",       // it would look for the folder
		"-race=false",    // Machinery has races of its own
		"-ldflags=-s -w", // links faster
		"./machinery")
	return binary, err
}

// writeOverlay puts Machinery's tests in the folder machinery, all as they are but for the suite.
func writeOverlay(dir, tests string) (string, error) {
	changed, err := writeSuite(dir, filepath.Join(tests, suite))
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(tests, "*_test.go"))
	if err != nil {
		return "", err
	}
	folder, err := filepath.Abs("machinery")
	if err != nil {
		return "", err
	}
	replace := make(map[string]string, len(files))
	for _, file := range files {
		replace[filepath.Join(folder, filepath.Base(file))] = file
	}
	replace[filepath.Join(folder, suite)] = changed
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o600)
}

func writeSuite(dir, original string) (string, error) {
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	changed, err := divertRegistration(source)
	if err != nil {
		return "", fmt.Errorf("%s: %w", original, err)
	}
	file := filepath.Join(dir, suite)
	return file, os.WriteFile(file, changed, 0o600)
}

// goTool runs the go command and returns what it prints.
func goTool(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	var problems strings.Builder
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", cmd, err, output, &problems)
	}
	return string(output), nil
}
