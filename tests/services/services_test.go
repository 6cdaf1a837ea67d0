package services

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheVariableComesFirst(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://example.com:1")
	t.Setenv("AMQP_URL", "amqp://example.com:2/")
	if got := Redis(t); got != "redis://example.com:1" {
		t.Errorf("Redis = %q", got)
	}
	if got := AMQP(t); got != "amqp://example.com:2/" {
		t.Errorf("AMQP = %q", got)
	}
}

func TestThenTheServerOnTheDefaultPort(t *testing.T) {
	for _, c := range []struct {
		service service
		answer  string
		found   bool
	}{
		{redis, "+PONG\r\n", true},
		{redis, "-NOAUTH Authentication required.\r\n", false},
		{redis, "", false},
		{rabbitMQ, "\x01\x00\x00\x00\x00\x01\xfb\x00\x0a\x00\x0a", true},
		{rabbitMQ, "AMQP\x00\x01\x00\x00", false},
		{rabbitMQ, "", false},
		{memcached, "VERSION 1.6.18\r\n", true},
		{memcached, "ERROR\r\n", false},
	} {
		t.Run(fmt.Sprintf("%s answers %q", c.service.name, c.answer), func(t *testing.T) {
			t.Setenv(c.service.variable, "")
			t.Setenv("CI", "")
			c.service.address = serve(t, c.service.greeting, c.answer)
			got := record(c.service.find)
			if c.found && got.url != c.service.url {
				t.Errorf("found %+v, want the URL %s", got, c.service.url)
			}
			if !c.found && got.skipped == "" {
				t.Errorf("found %+v, want a skip", got)
			}
		})
	}
}

func TestElseTheTestIsSkipped(t *testing.T) {
	for _, s := range []service{redis, rabbitMQ, memcached} {
		t.Setenv(s.variable, "")
		t.Setenv("CI", "")
		s.address = closed(t)
		got := record(s.find)
		for _, want := range []string{s.name, s.variable, s.address, "make test"} {
			if !strings.Contains(got.skipped, want) {
				t.Errorf("%s: skipped with %q, which lacks %q", s.name, got.skipped, want)
			}
		}
	}
}

func TestAMissingServerFailsInCI(t *testing.T) {
	for _, s := range []service{redis, rabbitMQ} {
		t.Setenv(s.variable, "")
		t.Setenv("CI", "true")
		s.address = closed(t)
		if got := record(s.find); got.failed == "" || got.skipped != "" {
			t.Errorf("%s: found %+v, want a failure", s.name, got)
		}
	}
}

// serve gives each connection the answer once it has sent the greeting, then hangs up.
func serve(t *testing.T, greeting, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			got := make([]byte, len(greeting))
			if _, err := io.ReadFull(conn, got); err == nil && string(got) == greeting {
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// closed returns an address on which nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// A recorder is a test that only notes how it was stopped.
type recorder struct {
	testing.TB
	url, skipped, failed string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Skipf(format string, args ...any)  { r.skipped = fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }

func record(find func(testing.TB) string) *recorder {
	r := &recorder{}
	r.url = find(r)
	return r
}

func TestAProgramIsTheFirstThatIsInPATH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for ci, fails := range map[string]bool{"": false, "true": true} {
		t.Setenv("CI", ci)
		got := record(func(t testing.TB) string { return Program(t, "zsh", "fish") })
		if (got.failed != "") != fails || got.skipped+got.failed != "no zsh, nor fish in PATH" {
			t.Errorf("CI=%s: %+v", ci, got)
		}
	}
	fish := filepath.Join(os.Getenv("PATH"), "fish")
	if err := os.WriteFile(fish, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := record(func(t testing.TB) string { return Program(t, "zsh", "fish") }); got.url != fish || got.failed != "" {
		t.Errorf("found %+v, want %s", got, fish)
	}
}
