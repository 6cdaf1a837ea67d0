package amqp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	nullbackend "github.com/RichardKnop/machinery/v2/backends/null"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// workerVariable, in the environment, makes a worker of the test program; it holds its assignment.
const workerVariable = "AMQP_FAULTS_WORKER"

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	if text := os.Getenv(workerVariable); text != "" {
		if err := runWorker(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	services.RunInParallel(32) // most of them wait for a node
	status := m.Run()
	for _, node := range []*lent{shared, disturbed, laden} {
		node.stop()
	}
	os.Exit(status)
}

// An assignment is what a worker process needs to know.
type assignment struct {
	URL, Queue, Record string
	// CustomQueue is the worker's own queue, where that is not Queue.
	CustomQueue string
}

func configOf(url, queue string) *config.Config {
	return &config.Config{
		Broker:                  url,
		MultipleBrokerSeparator: ";", // of the addresses of a cluster
		DefaultQueue:            queue,
		NoUnixSignals:           true,
		AMQP: &config.AMQPConfig{
			Exchange: queue, ExchangeType: "direct", BindingKey: queue + "-key", PrefetchCount: 20,
		},
	}
}

func newServer(cnf *config.Config, opts ...amqpadapter.BrokerOption) *machinery.Server {
	return machinery.NewServer(cnf, amqpadapter.NewBroker(cnf, opts...), backend{nullbackend.New()}, eagerlock.New())
}

// backend is one that does not work for tasks named "fail".
type backend struct{ backendsiface.Backend }

func (b backend) SetStateReceived(s *tasks.Signature) error {
	if s.Name == "fail" {
		return errors.New("no such state")
	}
	return nil
}

// runWorker works until its standard input ends, which it does with the tests at the latest.
func runWorker(text string) error {
	var a assignment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	record, err := os.OpenFile(a.Record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	server := newServer(configOf(a.URL, a.Queue),
		amqpadapter.WithMaxAttempts(5), amqpadapter.WithBackoff(50*time.Millisecond, time.Second))
	err = server.RegisterTasks(map[string]any{
		"record": func(id string) error {
			_, err := fmt.Fprintln(record, id)
			return err
		},
		"fail": func(string) error { return nil },
		"kill": func(string) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) },
	})
	if err != nil {
		return err
	}
	worker := server.NewCustomQueueWorker("faults", 8, a.CustomQueue)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	_, _ = io.Copy(io.Discard, os.Stdin)
	worker.Quit()
	return <-ended
}

// A crew is some worker processes. One that ends is replaced.
type crew struct {
	a       assignment
	dir     string
	mu      sync.Mutex
	workers []*exec.Cmd
	stdins  []io.Closer
	hired   int
	leaving bool
	running sync.WaitGroup
}

func hire(t *testing.T, n *node, queue string, workers int) *crew {
	t.Helper()
	return hireFor(t, n, queue, "", workers)
}

// hireFor hires workers of a custom queue.
func hireFor(t *testing.T, n *node, queue, customQueue string, workers int) *crew {
	t.Helper()
	c := &crew{a: assignment{URL: n.url, Queue: queue, CustomQueue: customQueue}, dir: t.TempDir()}
	for i := range workers {
		c.workers, c.stdins = append(c.workers, nil), append(c.stdins, nil)
		require.NoError(t, c.begin(i))
	}
	t.Cleanup(c.leave)
	return c
}

// begin starts the worker in a place, and keeps it filled.
func (c *crew) begin(place int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return nil
	}
	a := c.a
	a.Record = filepath.Join(c.dir, fmt.Sprint("record-", c.hired))
	c.hired++
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), workerVariable+"="+string(text))
	worker.Stderr = os.Stderr
	stdin, err := worker.StdinPipe()
	if err != nil {
		return err
	}
	if err := worker.Start(); err != nil {
		return err
	}
	c.workers[place], c.stdins[place] = worker, stdin
	c.running.Go(func() {
		_ = worker.Wait()
		_ = c.begin(place)
	})
	return nil
}

// kill ends the worker in a place, as the loss of its machine would.
func (c *crew) kill(place int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.workers[place].Process.Kill()
}

func (c *crew) leave() {
	c.mu.Lock()
	c.leaving = true
	for _, stdin := range c.stdins {
		_ = stdin.Close()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// done counts how often each task was done.
func (c *crew) done(t *testing.T) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	records, err := filepath.Glob(filepath.Join(c.dir, "record-*"))
	require.NoError(t, err)
	for _, record := range records {
		text, err := os.ReadFile(record)
		require.NoError(t, err)
		for _, id := range strings.Fields(string(text)) {
			counts[id]++
		}
	}
	return counts
}

// awaits waits until each of the tasks was done, and says how many were done more than once.
func (c *crew) awaits(t *testing.T, ids []string) {
	t.Helper()
	var missing []string
	var counts map[string]int
	ok := waitFor(func() bool {
		counts, missing = c.done(t), nil
		for _, id := range ids {
			if counts[id] == 0 {
				missing = append(missing, id)
			}
		}
		return len(missing) == 0
	})
	require.True(t, ok, "%d of %d tasks were lost, such as %v", len(missing), len(ids), missing[:min(len(missing), 5)])
	again := 0
	for _, n := range counts {
		if n > 1 {
			again++
		}
	}
	t.Logf("%d tasks done, %d of them more than once", len(ids), again)
}

// waitFor is for conditions that are dear to find out. What RabbitMQ itself tries again only after three minutes, unless
// passOnAgain is set, must not satisfy them.
func waitFor(condition func() bool) bool { return waitAtMost(2*time.Minute, condition) }

func waitAtMost(longest time.Duration, condition func() bool) bool {
	deadline := time.After(longest)
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		if condition() {
			return true
		}
		select {
		case <-deadline:
			return false
		case <-ticker.C:
		}
	}
}
