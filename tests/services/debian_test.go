package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Here debootstrap is always missing, and root may be too.
func TestWhereNewerServersCannotBeUnpackedTheyAreSkippedAndFailInCI(t *testing.T) {
	bash := Program(t, "bash")
	path := t.TempDir()
	if err := os.Symlink(bash, filepath.Join(path, "bash")); err != nil {
		t.Fatal(err)
	}
	for ci, succeeds := range map[string]bool{"": true, "true": false} {
		command := exec.Command("../debian", "trixie", "redis-server", "a command that must not run")
		command.Env = []string{"PATH=" + path, "CI=" + ci, "HOME=" + path}
		said, err := command.CombinedOutput()
		if succeeds != (err == nil) {
			t.Errorf("CI=%s: %v", ci, err)
		}
		if !strings.Contains(string(said), "debootstrap") && !strings.Contains(string(said), "root") {
			t.Errorf("CI=%s: it says %q, which does not name what is missing", ci, said)
		}
	}
}
