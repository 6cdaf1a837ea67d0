package services

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestWithoutRedisServerTheTestIsSkippedAndFailsInCI(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, ci := range []string{"", "true"} {
		t.Setenv("CI", ci)
		r := &recorder{}
		needRedisServer(r)
		if got := r.skipped + r.failed; !strings.Contains(got, "redis-server") {
			t.Errorf("CI=%s: stopped with %q, which does not say what is missing", ci, got)
		}
		if (r.failed != "") != (ci == "true") {
			t.Errorf("CI=%s: %+v", ci, r)
		}
	}
}

// startAndDie is set in the test binary that TestNoServerOutlivesATestBinary runs and kills.
const startAndDie = "MACHINERY_ENVELOPE_START_AND_DIE"

func TestNoServerOutlivesATestBinary(t *testing.T) {
	needRedisServer(t)
	if os.Getenv(startAndDie) != "" {
		p, err := startProcess(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(p.address() + " " + p.dir + "\n")
		select {}
	}
	binary := exec.Command(os.Args[0], "-test.run=^TestNoServerOutlivesATestBinary$")
	binary.Env = append(os.Environ(), startAndDie+"=1")
	output, err := binary.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := binary.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	if err := binary.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = binary.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), start)
	defer cancel()
	err = await(ctx, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return errors.New("the server still listens")
		}
		if _, err := os.Stat(dir); err == nil {
			return errors.New("its files are still there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
