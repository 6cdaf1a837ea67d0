package services

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Missing stops a test that needs what this machine has not got. The text says what that is. The test is skipped, or
// fails where CI=true, for nobody would notice there that it is skipped.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	stop := t.Skipf
	if os.Getenv("CI") == "true" {
		stop = t.Fatalf
	}
	stop(format, args...)
}

// Program returns the path of the first of some programs that is in PATH. Where none is, it stops the test: see [Missing].
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, "no %s in PATH", strings.Join(names, ", nor "))
	return ""
}
