package redis_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fleet is a number of worker processes, each of which is replaced when it dies.
type fleet struct {
	t      *testing.T
	server *server
	logs   string
	watch  sync.WaitGroup

	mu       sync.Mutex
	workers  []*workerProcess
	deaths   int
	quitting bool
}

type workerProcess struct {
	command *exec.Cmd
	input   io.Closer
}

func launchFleet(t *testing.T, s *server, size int) *fleet {
	t.Helper()
	f := &fleet{t: t, server: s, logs: t.TempDir()}
	t.Cleanup(f.quit)
	for i := range size {
		f.workers = append(f.workers, nil)
		f.launch(i, 0)
	}
	return f
}

// launch starts the worker at a place. It is called with mu locked, or before anybody else knows the fleet.
func (f *fleet) launch(place, generation int) {
	f.t.Helper()
	executable, err := os.Executable()
	require.NoError(f.t, err)
	log, err := os.Create(filepath.Join(f.logs, fmt.Sprintf("worker-%d-%d", place, generation)))
	require.NoError(f.t, err)
	defer func() { _ = log.Close() }()
	command := exec.Command(executable)
	command.Env = append(os.Environ(), workerVariable+"="+f.server.address,
		backendVariable+"="+f.server.backendServer().address)
	command.Stdout, command.Stderr = log, log
	input, err := command.StdinPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, command.Start())
	f.workers[place] = &workerProcess{command, input}
	f.watch.Go(func() { f.replace(place, generation, command) })
}

// replace puts another worker in the place of one that died.
func (f *fleet) replace(place, generation int, command *exec.Cmd) {
	_ = command.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quitting {
		return
	}
	f.deaths++
	f.launch(place, generation+1)
}

// killOne kills any worker.
func (f *fleet) killOne() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.workers[rand.IntN(len(f.workers))].command.Process.Kill()
}

func (f *fleet) died() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deaths
}

// quit ends all workers gracefully.
func (f *fleet) quit() {
	f.mu.Lock()
	f.quitting = true
	for _, w := range f.workers {
		_ = w.input.Close()
	}
	f.mu.Unlock()
	f.watch.Wait()
	if f.t.Failed() {
		f.showLogs()
	}
}

// showLogs logs the end of what each worker said.
func (f *fleet) showLogs() {
	names, _ := filepath.Glob(filepath.Join(f.logs, "*"))
	for _, name := range names {
		log, _ := os.ReadFile(name)
		f.t.Logf("%s:\n%s", filepath.Base(name), log[max(0, len(log)-2000):])
	}
}
