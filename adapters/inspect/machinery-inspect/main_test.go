package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const catalogue = "../../../middleware/wirelock/testdata/catalogue"

// locks returns the files of a change of the catalogue.
func locks(change string) (before, after string) {
	return filepath.Join(catalogue, change, "old.json"), filepath.Join(catalogue, change, "new.json")
}

// program is the built command.
type program string

func build(t *testing.T) program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "machinery-inspect.exe")
	output, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program(file)
}

// outcome is what a run of the command leaves.
type outcome struct {
	status         int
	stdout, stderr string
}

func (p program) run(t *testing.T, stdin string, arguments ...string) outcome {
	t.Helper()
	command := exec.Command(string(p), arguments...)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return outcome{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestLockCheck(t *testing.T) {
	command := build(t)
	t.Run("the verdict is the exit status", func(t *testing.T) { testVerdicts(t, command) })
	t.Run("findings are written as tests write them", func(t *testing.T) { testFindings(t, command) })
	t.Run("findings as JSON", func(t *testing.T) { testJSON(t, command) })
	t.Run("standard input", func(t *testing.T) { testStandardInput(t, command) })
	t.Run("files that cannot be read", func(t *testing.T) { testBadFiles(t, command) })
	t.Run("usage", func(t *testing.T) { testUsage(t, command) })
}

func testVerdicts(t *testing.T, command program) {
	for change, status := range map[string]int{
		"breaking/boolean_to_text":                    statusBreaking,
		"breaking/alias_dropped":                      statusBreaking,
		"ordered/integer_widened":                     statusOK,
		"compatible/field_added":                      statusOK,
		"compatible/fields_in_another_order":          statusOK,
		"ordered/version_raised_with_its_upgrade":     statusOK,
		"breaking/version_raised_without_an_upgrade":  statusBreaking,
		"breaking/codec_changed_without_the_old_one":  statusBreaking,
		"compatible/codec_to_read_added":              statusOK,
		"breaking/version_lowered":                    statusBreaking,
		"breaking/pointer_to_struct_to_struct":        statusBreaking,
		"compatible/embedded_struct_behind_a_pointer": statusOK,
	} {
		before, after := locks(change)
		for _, flags := range [][]string{nil, {"-json"}} {
			got := command.run(t, "", append(append([]string{"lock", "check"}, flags...), before, after)...)
			assert.Equal(t, status, got.status, "%s %v", change, got)
			assert.Empty(t, got.stderr, change)
		}
	}
	before, _ := locks("ordered/integer_widened")
	assert.Equal(t, outcome{statusOK, "", ""}, command.run(t, "", "lock", "check", before, before))
}

func testFindings(t *testing.T, command program) {
	before, after := locks("ordered/integer_widened")
	assert.Equal(t, `ordered: orders.Order.field: int32 becomes int64
    hurts   old workers, by new senders
    order   readers first: deploy workers, then senders
`, command.run(t, "", "lock", "check", before, after).stdout)
}

func testJSON(t *testing.T, command program) {
	before, after := locks("breaking/boolean_to_text")
	assert.JSONEq(t, `{"verdict": "breaking", "changes": [{
		"kind": "breaking",
		"where": "orders.Order.field",
		"what": "bool becomes string",
		"hurt": ["new workers, by what old senders have sent: queued, delayed and retried messages, periodic tasks, dead letters",
			"old workers, by new senders"],
		"remedy": "orders.Order: envelope.Version(2) and envelope.Upgrade(1, …) from the type as it was",
		"order": ""
	}]}`, command.run(t, "", "lock", "check", "-json", before, after).stdout)
	assert.JSONEq(t, `{"verdict": "compatible", "changes": []}`, command.run(t, "", "lock", "check", "-json", before, before).stdout)

	before, after = locks("compatible/field_added")
	var read struct{ Changes []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(command.run(t, "", "lock", "check", "-json", before, after).stdout), &read))
	assert.Equal(t, []any{}, read.Changes[0]["hurt"])
}

func testStandardInput(t *testing.T, command program) {
	before, after := locks("breaking/boolean_to_text")
	text, err := os.ReadFile(before)
	require.NoError(t, err)
	assert.Equal(t, statusBreaking, command.run(t, string(text), "lock", "check", "-", after).status)
	assert.Equal(t, statusOK, command.run(t, string(text), "lock", "check", before, "-").status)
	assert.Equal(t, outcome{statusUsage, "", "machinery-inspect: standard input: not a schema of the wire\n"},
		command.run(t, "", "lock", "check", "-", after), "as of a git show that has failed")
}

func testBadFiles(t *testing.T, command program) {
	before, _ := locks("breaking/boolean_to_text")
	text, err := os.ReadFile(before)
	require.NoError(t, err)
	for name, c := range map[string]struct{ text, want string }{
		"no lock": {"", "not a schema of the wire"},
		"newer":   {strings.Replace(string(text), `"wire": 1`, `"wire": 2`, 1), "written by a newer version of this module: upgrade it here (format 2, known is 1)"},
		"edited":  {strings.Replace(string(text), "bool", "string", 1), "edited by hand or merged: take one of its versions from version control"},
	} {
		file := filepath.Join(t.TempDir(), "wire.lock")
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o644))
		want := outcome{statusUsage, "", "machinery-inspect: " + file + ": " + c.want + "\n"}
		assert.Equal(t, want, command.run(t, "", "lock", "check", before, file), name)
		assert.Equal(t, want, command.run(t, "", "lock", "check", "-json", file, before), name)
	}
	missing := command.run(t, "", "lock", "check", "missing.lock", before)
	assert.Equal(t, statusUsage, missing.status)
	assert.Contains(t, missing.stderr, "missing.lock")
}

func testUsage(t *testing.T, command program) {
	for _, arguments := range [][]string{{"lock", "check", "-h"}, {"lock", "check", "--help"}} {
		assert.Equal(t, outcome{statusOK, lockUsage, ""}, command.run(t, "", arguments...), arguments)
	}
	for arguments, want := range map[string]string{
		"lock":                   `unknown command "lock", want lock check`,
		"lock write":             `unknown command "lock write", want lock check`,
		"lock check":             "want two files, old and new, after the flags; got 0",
		"lock check a b -json":   "want two files, old and new, after the flags; got 3",
		"lock check -yaml a b":   "flag provided but not defined: -yaml",
		"lock check - -":         "one of the files alone may be standard input",
		"lock check -json=x a b": `invalid boolean value "x" for -json: parse error`,
	} {
		assert.Equal(t, outcome{statusUsage, "", "machinery-inspect: " + want + "; see machinery-inspect lock check -h\n"},
			command.run(t, "", strings.Fields(arguments)...), arguments)
	}
}
