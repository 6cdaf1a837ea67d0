package main

import (
	"bytes"
	"context"
	"net/url"
	"os/exec"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

const pythonScript = "python/solve.py"

// The script was written after SPEC.md. It and a worker know nothing of each other but what stands there.
func TestPythonSendsToAWorker(t *testing.T) {
	python := services.Program(t, "python3")
	t.Run("embedded Redis", func(t *testing.T) {
		assertPythonIsUnderstood(t, python, "redis://"+miniredis.RunT(t).Addr())
	})
	t.Run("Redis", func(t *testing.T) {
		assertPythonIsUnderstood(t, python, services.Redis(t))
	})
}

func assertPythonIsUnderstood(t *testing.T, python, redis string) {
	address, err := url.Parse(redis)
	require.NoError(t, err)
	require.FileExists(t, pythonScript) // go test then knows that its result hangs on the script
	queue := newTemporaryQueue().name
	startWorker(t, redis, queue)
	script := func(arguments ...string) (stdout, stderr string, status int) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		command := exec.CommandContext(ctx, python,
			append([]string{pythonScript, "--redis", address.Host, "--queue", queue}, arguments...)...)
		var out, complaints bytes.Buffer
		command.Stdout, command.Stderr = &out, &complaints
		_ = command.Run() // the exit status says it
		return out.String(), complaints.String(), command.ProcessState.ExitCode()
	}

	stdout, stderr, status := script("--start", "1")
	assert.Equal(t, 0, status, stderr)
	assert.Regexp(t, `^tour \[[0-4](, [0-4]){4}\] by 2-opt\nlength 160\n$`, stdout)
	assert.Empty(t, stderr)

	stdout, stderr, status = script("--start", "5")
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Equal(t, "failed: there is no city 5 of 5\nerror {'city': 5, 'cities': 5}\n", stderr)
}

// startWorker runs a worker of the demo until the test ends.
func startWorker(t *testing.T, redis, queue string) {
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out output
	go func() { ended <- run(ctx, []string{"worker", "-broker", redis, "-queue", queue}, &out, &out) }()
	t.Cleanup(func() {
		interrupt()
		assert.Equal(t, statusOK, <-ended, out.String())
	})
}
