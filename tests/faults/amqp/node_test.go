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
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// packaged is where Debian keeps the programs themselves. Those in /usr/sbin change the user and use the files in /var.
const packaged = "/usr/lib/rabbitmq/bin"

// programsVariable, in the environment, names the directory with the programs of another RabbitMQ.
const programsVariable = "AMQP_FAULTS_PROGRAMS"

// A node is a RabbitMQ that shares nothing with others: name, cookie, epmd, ports, files, plugins.
type node struct {
	url         string
	name        string
	dir         string
	environment []string
	epmd        *guarded // nil where another node's is used
	server      *guarded
}

// needPrograms skips a test on a machine without RabbitMQ, or fails it where CI=true.
func needPrograms(t *testing.T) {
	t.Helper()
	if program("rabbitmq-server") == "" || program("epmd") == "" {
		services.Missing(t, "no rabbitmq-server, or no epmd, in PATH")
	}
}

func program(name string) string {
	if dir := os.Getenv(programsVariable); dir != "" {
		return filepath.Join(dir, name)
	}
	for _, path := range []string{filepath.Join(packaged, name), name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// passOnAgain is the advanced configuration of nodes that are lost, as the documentation has it: a queue of delayed tasks
// passes on again after ten seconds, not three minutes, what was lost on its way with the next queue.
const passOnAgain = `[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].`

// prepareNode makes a node that has not started. It keeps its files out of a test's directory: it outlives the test.
func prepareNode(name string, epmdPort int, advanced string) (*node, error) {
	dir, err := os.MkdirTemp("", "rabbitmq-faults-")
	if err != nil {
		return nil, err
	}
	port, distPort := freePort(), freePort()
	n := &node{
		url:  fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port),
		name: fmt.Sprintf("faults-%d-%s@127.0.0.1", os.Getpid(), name),
		dir:  dir,
	}
	files := map[string]string{
		"env.conf":        "",
		"enabled_plugins": "[].",
		"advanced.config": advanced,
		"rabbitmq.conf":   "log.console = true\nlog.file = false\n",
		".erlang.cookie":  "faults",
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
		"RABBITMQ_NODENAME=" + n.name,
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
	return n, nil
}

// startEpmd starts what tells nodes of each other. A node starts one when there is none, and leaves it behind.
func startEpmd(port int) (*guarded, error) {
	dir, err := os.MkdirTemp("", "rabbitmq-faults-")
	if err != nil {
		return nil, err
	}
	return startGuarded(dir, os.Environ(), program("epmd"), "-port", fmt.Sprint(port), "-address", "127.0.0.1")
}

func (n *node) start() (err error) {
	n.server, err = startGuarded(n.dir, n.environment, program("rabbitmq-server"))
	return err
}

// await waits until the node takes connections.
func (n *node) await(t *testing.T) {
	t.Helper()
	require.NoError(t, n.up())
}

// up waits until the node takes connections, or says how its log ends.
func (n *node) up() error {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		connection, err := amqp.DialConfig(n.url, amqp.Config{Locale: "en_US", Dial: amqp.DefaultDial(time.Second)})
		if err == nil {
			return connection.Close()
		}
		log, _ := os.ReadFile(filepath.Join(n.dir, "console.log"))
		log = bytes.TrimSpace(log[max(0, len(log)-2000):])
		last := log[bytes.LastIndexByte(log, '\n')+1:]
		if bytes.HasPrefix(last, []byte(ended)) || time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w; its log ends:\n%s", n.name, err, log)
		}
	}
}

// kill ends the node as the loss of its machine would.
func (n *node) kill() { n.server.kill() }

// ctl runs rabbitmqctl.
func (n *node) ctl(t *testing.T, args ...string) {
	t.Helper()
	output, err := n.run(args...)
	require.NoError(t, err, "rabbitmqctl %s: %s", strings.Join(args, " "), output)
}

// run is ctl for the time after a test.
func (n *node) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program("rabbitmqctl"), args...)
	command.Env = n.environment
	output, err := command.CombinedOutput()
	return string(bytes.TrimSpace(output)), err
}

// stop ends the node for good.
func (n *node) stop() {
	if n.server != nil {
		n.server.remove()
	}
	if n.epmd != nil {
		n.epmd.remove()
	}
	_ = os.RemoveAll(n.dir) // where it was killed before
}

// ports are those that freePort has returned.
var ports sync.Map

// freePort is below the range that systems give to outgoing connections, so that none of these takes it meanwhile, and
// above the ports of package services. A node listens seconds after it has got a port: none is returned twice.
func freePort() int {
	for {
		port := 28000 + rand.IntN(4768)
		if _, taken := ports.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
}
