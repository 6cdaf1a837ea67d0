package redis_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// guard runs redis-server for as long as its own input is open, then kills it: no server outlives the tests.
const guard = `
trap '' INT TERM HUP
redis-server "$@" >>log 2>&1 &
server=$!
read -r _
kill -9 $server
wait
`

// server is a redis-server of ours. It keeps every write that it has confirmed, unless it is started otherwise.
type server struct {
	t       *testing.T
	address string
	dir     string
	command *exec.Cmd
	input   io.Closer
	// backend keeps the results of tasks whose broker is on this server; nil is this one.
	backend *server
	// fsync is Redis' appendfsync.
	fsync string
	// env is added to its environment.
	env []string
}

// startServers starts a server for the broker and one for the result backend.
func startServers(t *testing.T) *server {
	t.Helper()
	s := startServer(t)
	s.backend = startServer(t)
	return s
}

func (s *server) backendServer() *server {
	if s.backend == nil {
		return s
	}
	return s.backend
}

func startServer(t *testing.T) *server {
	t.Helper()
	return startServerThatSyncs(t, "always")
}

func startServerThatSyncs(t *testing.T, fsync string) *server {
	t.Helper()
	return launchServer(t, &server{fsync: fsync})
}

func startServerIn(t *testing.T, env ...string) *server {
	t.Helper()
	return launchServer(t, &server{fsync: "always", env: env})
}

func launchServer(t *testing.T, s *server) *server {
	t.Helper()
	services.Program(t, "redis-server") // one that runs already does not do: these tests kill theirs
	s.t, s.address, s.dir = t, freeAddress(t), t.TempDir()
	require.NoError(t, s.start())
	t.Cleanup(s.kill)
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// start returns when the server has read what an earlier one kept, and answers.
func (s *server) start() error {
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	s.command = exec.Command("sh", "-c", guard, "guard", "--port", port, "--bind", "127.0.0.1", "--dir", s.dir,
		"--appendonly", "yes", "--appendfsync", s.fsync, "--save", "")
	s.command.Dir = s.dir
	s.command.Env = append(os.Environ(), s.env...)
	if s.input, err = s.command.StdinPipe(); err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer func() { _ = client.Close() }()
	for deadline := time.Now().Add(timeout); ; time.Sleep(tick) {
		err := client.Ping(context.Background()).Err()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("redis-server: %w; it said: %s", err, log)
		}
	}
}

// kill ends the server as a power cut would. Once more does no harm.
func (s *server) kill() {
	_ = s.input.Close()
	_ = s.command.Wait()
}

// dial returns a client that closes with the test.
func (s *server) dial() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.address})
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}
