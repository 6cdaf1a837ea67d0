package amqp_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// packaged is where Debian keeps the programs themselves. Those in /usr/sbin change the user and use the files in /var.
const packaged = "/usr/lib/rabbitmq/bin"

// A node is a RabbitMQ that shares nothing with others: name, cookie, epmd, ports, files, plugins.
type node struct {
	url         string
	dir         string
	environment []string
	epmd        *exec.Cmd
	server      *exec.Cmd
	ended       chan struct{} // of the server
}

var (
	startNode  = sync.OnceValues(newNode)
	sharedNode *node
)

// rabbitMQ returns the node that all tests share. It starts with the first.
func rabbitMQ(t *testing.T) *node {
	t.Helper()
	if program("rabbitmq-server") == "" || program("epmd") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no rabbitmq-server in PATH, and CI=true makes that a failure")
		}
		t.Skip("no rabbitmq-server in PATH")
	}
	n, err := startNode()
	require.NoError(t, err)
	sharedNode = n
	n.await(t)
	return n
}

func program(name string) string {
	for _, path := range []string{filepath.Join(packaged, name), name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// newNode keeps its files out of a test's directory: it outlives the test.
func newNode() (*node, error) {
	dir, err := os.MkdirTemp("", "rabbitmq-faults-")
	if err != nil {
		return nil, err
	}
	port, epmdPort, distPort := freePort(), freePort(), freePort()
	n := &node{url: fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port), dir: dir}
	files := map[string]string{
		"env.conf":        "",
		"enabled_plugins": "[].",
		"advanced.config": "[].",
		"rabbitmq.conf":   "log.console = true\nlog.file = false\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	// The environment starts empty: every RABBITMQ_ variable in it would change the node.
	n.environment = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir,
		"LANG=C.UTF-8",
		fmt.Sprint("ERL_EPMD_PORT=", epmdPort),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_CRASH_DUMP=" + filepath.Join(dir, "erl_crash.dump"),
		"RABBITMQ_USE_LONGNAME=true",
		fmt.Sprintf("RABBITMQ_NODENAME=faults-%d@127.0.0.1", os.Getpid()),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		fmt.Sprint("RABBITMQ_NODE_PORT=", port),
		fmt.Sprint("RABBITMQ_DIST_PORT=", distPort),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES=" + filepath.Join(dir, "conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(dir, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
		"RABBITMQ_PID_FILE=" + filepath.Join(dir, "pid"),
	}
	// A node starts epmd when there is none, and leaves it behind: started here, it can be stopped.
	n.epmd = exec.Command(program("epmd"), "-port", fmt.Sprint(epmdPort), "-address", "127.0.0.1")
	n.epmd.SysProcAttr = ownGroup()
	if err := n.epmd.Start(); err != nil {
		return nil, err
	}
	return n, n.start()
}

func (n *node) start() error {
	log, err := os.OpenFile(filepath.Join(n.dir, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Erlang reserves memory for every file it might open: gigabytes where the limit is a container's 2^30.
	n.server = exec.Command("sh", "-c", `ulimit -Sn 65536 2>/dev/null; exec "$0"`, program("rabbitmq-server"))
	n.server.Env, n.server.Stdout, n.server.Stderr, n.server.SysProcAttr = n.environment, log, log, ownGroup()
	if err := n.server.Start(); err != nil {
		return err
	}
	server, ended := n.server, make(chan struct{})
	n.ended = ended
	go func() {
		defer close(ended)
		_ = server.Wait()
	}()
	return nil
}

// await waits until the node takes connections.
func (n *node) await(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		connection, err := amqp.DialConfig(n.url, amqp.Config{Locale: "en_US", Dial: amqp.DefaultDial(time.Second)})
		if err != nil {
			return false
		}
		return connection.Close() == nil
	}, 2*time.Minute, 100*time.Millisecond, "RabbitMQ does not answer; its log is %s", n.dir)
}

// kill ends the node as the loss of its machine would.
func (n *node) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(-n.server.Process.Pid, syscall.SIGKILL))
	<-n.ended
}

// ctl runs rabbitmqctl.
func (n *node) ctl(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program("rabbitmqctl"), args...)
	command.Env = n.environment
	output, err := command.CombinedOutput()
	require.NoError(t, err, "rabbitmqctl %s: %s", strings.Join(args, " "), bytes.TrimSpace(output))
}

// stop ends the node for good.
func (n *node) stop() {
	_ = syscall.Kill(-n.server.Process.Pid, syscall.SIGKILL)
	<-n.ended
	_ = syscall.Kill(-n.epmd.Process.Pid, syscall.SIGKILL)
	_ = n.epmd.Wait()
	_ = os.RemoveAll(n.dir)
}

// ownGroup lets a process be killed with its children, and dies with the tests.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// freePort is below the range that systems give to outgoing connections, so that none of these takes it meanwhile.
func freePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
}
