// Package services finds the servers that tests need and that no Go program can be.
//
// Tests ask for one where they use it:
//
//	client := dial(t, services.Redis(t))
//
// The server may be anybody's, such as a developer's own: a test leaves alone what it did not put there itself.
package services

import (
	"bufio"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Redis returns the URL of a Redis: the one in REDIS_URL or else, where a Redis answers on the default local port,
// that one. If there is none, it skips the test, or fails it where CI=true.
func Redis(t testing.TB) string {
	t.Helper()
	return redis.find(t)
}

// AMQP returns the URL of a RabbitMQ: the one in AMQP_URL or else, where a broker answers on the default local port,
// that one with RabbitMQ's default user. If there is none, it skips the test, or fails it where CI=true.
func AMQP(t testing.TB) string {
	t.Helper()
	return rabbitMQ.find(t)
}

// Memcached returns the address, host and port, of a memcached: the one in MEMCACHED_ADDRESS or else, where one answers
// on the default local port, that one. If there is none, it skips the test, or fails it where CI=true.
func Memcached(t testing.TB) string {
	t.Helper()
	return memcached.find(t)
}

// QuorumAMQP returns the URL in AMQP_QUORUM_URL: a virtual host of a RabbitMQ whose default queue type is quorum. If it
// is not set, QuorumAMQP skips the test, or fails it where CI=true.
func QuorumAMQP(t testing.TB) string {
	t.Helper()
	url := os.Getenv("AMQP_QUORUM_URL")
	if url == "" {
		Missing(t, "no RabbitMQ with quorum queues: AMQP_QUORUM_URL is not set; `make test` starts one")
	}
	return url
}

// AMQPManagement returns the URL in AMQP_MANAGEMENT_URL: the HTTP API of the RabbitMQ in AMQP_URL. If it is not set,
// AMQPManagement skips the test, or fails it where CI=true.
func AMQPManagement(t testing.TB) string {
	t.Helper()
	url := os.Getenv("AMQP_MANAGEMENT_URL")
	if url == "" {
		Missing(t, "no management API of a RabbitMQ: AMQP_MANAGEMENT_URL is not set; `make test` starts one")
	}
	return url
}

var (
	redis = service{
		name:     "Redis",
		variable: "REDIS_URL",
		address:  "127.0.0.1:6379",
		url:      "redis://127.0.0.1:6379",
		greeting: "PING\r\n",
		answer:   "+PONG",
	}
	// The greeting is the AMQP protocol header, and the answer a method frame, which begins with 1. A broker of
	// another protocol version answers with its own header instead.
	rabbitMQ = service{
		name:     "RabbitMQ",
		variable: "AMQP_URL",
		address:  "127.0.0.1:5672",
		url:      "amqp://guest:guest@127.0.0.1:5672/",
		greeting: "AMQP\x00\x00\x09\x01",
		answer:   "\x01",
	}
	memcached = service{
		name:     "memcached",
		variable: "MEMCACHED_ADDRESS",
		address:  "127.0.0.1:11211",
		url:      "127.0.0.1:11211",
		greeting: "version\r\n",
		answer:   "VERSION ",
	}
)

// timeout bounds connecting to, and the answer of, a server on this machine.
const timeout = 2 * time.Second

// A service is a server that speaks first when spoken to: it answers the greeting.
type service struct {
	name     string
	variable string
	address  string
	url      string
	greeting string
	answer   string
}

func (s service) find(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(s.variable); url != "" {
		return url
	}
	if s.answers() {
		return s.url
	}
	Missing(t, "no %s: %s is not set and none answers on %s; `make test` finds, starts or installs one",
		s.name, s.variable, s.address)
	return ""
}

// Excluded skips a test of what a transport cannot do. The reason says what is lacking. Its first word tells this skip,
// which is meant, from that of a service which is missing.
func Excluded(t testing.TB, transport, reason string) {
	t.Helper()
	t.Skipf("excluded on %s: %s", transport, reason)
}

func (s service) answers() bool {
	conn, err := net.DialTimeout("tcp", s.address, timeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte(s.greeting)); err != nil {
		return false
	}
	answer, err := bufio.NewReader(conn).Peek(len(s.answer))
	return err == nil && strings.HasPrefix(string(answer), s.answer)
}
