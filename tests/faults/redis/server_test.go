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

// server is a redis-server of ours, which keeps every write that it has confirmed.
type server struct {
	t       *testing.T
	address string
	dir     string
	command *exec.Cmd
	input   io.Closer
}

func startServer(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server in PATH: this test starts its own")
		}
		t.Skip("no redis-server in PATH: this test starts its own")
	}
	s := &server{t: t, address: freeAddress(t), dir: t.TempDir()}
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
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
	s.command.Dir = s.dir
	if s.input, err = s.command.StdinPipe(); err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer func() { _ = client.Close() }()
	for deadline := time.Now().Add(patience); ; time.Sleep(tick) {
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
