package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/RichardKnop/machinery/v2"
)

const (
	// reachTimeout is how long a broker may take to answer for the first time.
	reachTimeout = 3 * time.Second
	// leftoverExpiry is when a server forgets by itself what a killed demo has left there.
	leftoverExpiry = 10 * time.Minute
)

// transport is the way that tasks take to the workers, and results back.
type transport interface {
	// open reaches the server behind it, or fails within seconds.
	open(ctx context.Context) error
	// newServer makes a Machinery server with a broker of its own, so that workers can be stopped one by one.
	newServer() *machinery.Server
	// close takes away what the demo has made on the server.
	close() error
	// String names the server, without its password.
	String() string
}

// newTransport makes the transport that a -broker flag asks for, without opening it.
func newTransport(broker string) (transport, error) {
	if broker == "embedded" {
		return &embeddedTransport{}, nil
	}
	address, err := url.Parse(broker)
	if err != nil {
		// The reason given by url.Parse may quote the password.
		return nil, errors.New("not a url like redis://host:port or amqp://host:port")
	}
	switch address.Scheme {
	case "redis", "rediss":
		return newRedisTransport(address)
	case "amqp", "amqps":
		return newAMQPTransport(address)
	}
	return nil, fmt.Errorf("unknown scheme %q, want embedded, redis://host:port or amqp://host:port", address.Scheme)
}

// newQueueName makes a name for one run alone: the demo meets no other application's tasks, and no leftovers.
func newQueueName() string {
	return "machinery-envelope-demo-" + rand.Text()
}

// withoutPassword is the address as it may be shown.
func withoutPassword(address *url.URL) string {
	shown := *address
	shown.User = nil
	return shown.String()
}
