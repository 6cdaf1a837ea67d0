package amqp_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard runs a server for as long as its own input is open, then kills it with its children and removes its files. The
// input is a pipe that closes when the test binary ends, whatever ends it: no server outlives a panic, a timeout or a
// SIGKILL. A line of input has the server killed, but leaves its files. The log ends with ended where the server has ended
// by itself.
//
// Erlang reserves memory for every file it might open: gigabytes where the limit is a container's 2^30.
const guard = `
trap '' INT TERM HUP
set -m
ulimit -Sn 65536 2>/dev/null
{ "$@"; echo "` + ended + `$?"; } >>"$DIR/console.log" 2>&1 </dev/null &
read -r order
kill -9 -- -$!
wait
[[ -n $order ]] || rm -rf "$DIR"
`

// ended comes before the exit status of a server in the last line of its log.
const ended = "ended with exit status "

// A guarded process is one that ends with the tests.
type guarded struct {
	command *exec.Cmd
	input   io.WriteCloser
}

// startGuarded starts a program that has its files in a directory.
func startGuarded(dir string, environment []string, program string, args ...string) (*guarded, error) {
	command := exec.Command("bash", append([]string{"-c", guard, "guard", program}, args...)...)
	command.Env = append(environment, "DIR="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of the reach of the terminal's Ctrl-C
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guarded{command, input}, command.Start()
}

// kill ends the process as the loss of its machine would.
func (g *guarded) kill() {
	_, _ = fmt.Fprintln(g.input, "kill")
	_ = g.command.Wait()
}

// remove ends the process, and removes its files.
func (g *guarded) remove() {
	_ = g.input.Close()
	_ = g.command.Wait()
}

// dieVariable, in the environment, has the test binary start a process in a directory and wait to be killed.
const dieVariable = "AMQP_FAULTS_DIE"

func TestNothingOutlivesATestBinaryThatIsKilled(t *testing.T) {
	if dir := os.Getenv(dieVariable); dir != "" {
		g, err := startGuarded(dir, os.Environ(), "sh", "-c", `sleep 1000 & echo $! >"$DIR/pid"; wait`)
		require.NoError(t, err)
		require.True(t, waitFor(func() bool { pid, _ := os.ReadFile(filepath.Join(dir, "pid")); return len(pid) > 0 }))
		fmt.Println(g.command.Process.Pid)
		select {}
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	require.NoError(t, os.Mkdir(dir, 0o700))
	binary := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	binary.Env = append(os.Environ(), dieVariable+"="+dir)
	output, err := binary.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, binary.Start())
	_, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	require.NoError(t, err)
	require.NoError(t, binary.Process.Kill())
	_ = binary.Wait()
	require.True(t, waitFor(func() bool {
		_, err := os.Stat(dir)
		state, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		return os.IsNotExist(err) && (len(state) == 0 || strings.Contains(string(state), ") Z "))
	}))
}
