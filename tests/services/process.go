package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	goredis "github.com/go-redis/redis/v8"
)

// start bounds how long servers take to come up on a busy machine.
const start = 60 * time.Second

// tick is the pause between two looks at something that is to happen.
const tick = 20 * time.Millisecond

// guard runs redis-server for as long as its own input is open, then kills it and removes its files. The input is a
// pipe that closes when the test binary ends, whatever ends it: no server outlives a panic, a timeout or a SIGKILL.
const guard = `
trap '' INT TERM HUP
redis-server "$@" >log 2>&1 &
server=$!
read -r _
kill -9 $server
wait
rm -rf "$PWD"
`

// needRedisServer skips the test where redis-server is not in PATH, or fails it where CI=true.
func needRedisServer(t testing.TB) {
	t.Helper()
	Program(t, "redis-server") // one that runs already does not do: these tests start their own
}

// A process is a redis-server of ours.
type process struct {
	port    int
	dir     string
	command *exec.Cmd
	input   io.Closer
}

func (p *process) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

func (p *process) dial() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: p.address()})
}

// startProcess starts a redis-server with the lines as its configuration file and waits until it answers.
func startProcess(ctx context.Context, configuration string, arguments ...string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "machinery-envelope-redis-")
	if err != nil {
		return nil, err
	}
	configuration = fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\n%s", port, dir, configuration)
	if err := os.WriteFile(filepath.Join(dir, "redis.conf"), []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	command := exec.Command("sh", append([]string{"-c", guard, "guard", "redis.conf"}, arguments...)...)
	command.Dir = dir
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{port: port, dir: dir, command: command, input: input}
	if err := p.awaitAnswer(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

func (p *process) awaitAnswer(ctx context.Context) error {
	client := p.dial()
	defer client.Close()
	err := await(ctx, func() error { return client.Ping(ctx).Err() })
	if err == nil {
		return nil
	}
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return fmt.Errorf("redis-server: %w; its log ends: %s", err, bytes.TrimSpace(log[max(0, len(log)-1000):]))
}

// kill ends the server at once, as a crash would. Once more does no harm.
func (p *process) kill() {
	_ = p.input.Close()
	_ = p.command.Wait()
}

// await repeats an attempt until it succeeds, and says why the last one did not when ctx is done.
func await(ctx context.Context, attempt func() error) error {
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(tick):
		}
	}
}

// busDistance is what Redis adds to a port for the one on which nodes of a cluster talk.
const busDistance = 10000

// freePort returns a port that is free, as is the bus port with it. Both lie below the ports that the fault tests of
// RabbitMQ use, from 28000, and below the range that systems give to outgoing connections, so that none of these takes
// them meanwhile.
func freePort() (int, error) {
	for range 1000 {
		port := 10000 + rand.IntN(8000)
		if isFree(port) && isFree(port+busDistance) {
			return port, nil
		}
	}
	return 0, errors.New("found no free port")
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
