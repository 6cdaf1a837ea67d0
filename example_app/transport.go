package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	// reachTimeout is how long a server may take to answer for the first time.
	reachTimeout = 3 * time.Second
	// leftoverExpiry is when a server forgets by itself what a killed demo has left there.
	leftoverExpiry = 10 * time.Minute
	// sharedQueue is where senders and workers of different processes meet.
	sharedQueue = "machinery-envelope-demo"
)

// service is a server that carries tasks or keeps results, or both.
type service interface {
	// open reaches the server, or fails within seconds.
	open(ctx context.Context) error
	// configure adds what its parts need to know.
	configure(cnf *config.Config, queue queue)
	newBroker(cnf *config.Config) brokersiface.Broker
	newBackend(cnf *config.Config) backendsiface.Backend
	// newSource tells what is in its queues. Results are its own, if they are nil.
	newSource(cnf *config.Config, results inspect.Source) inspect.Source
	// remove takes a queue away.
	remove(queue queue) error
	close() error
	// String names the server, without its password.
	String() string
}

// queue is where tasks wait for workers.
type queue struct {
	name string
	// temporary means that the queue is of one run alone, which removes it in the end.
	temporary bool
}

// newTemporaryQueue makes a queue in which a run meets no other application's tasks, and no leftovers.
func newTemporaryQueue() queue {
	return queue{name: sharedQueue + "-" + rand.Text()[:8], temporary: true}
}

// transport is the way that tasks take to the workers, and results back.
type transport struct {
	queue  queue
	broker service
	// results is the broker, unless results are kept elsewhere.
	results service
	// closers are the parts that hold connections of their own.
	closers []io.Closer
}

// newTransport makes the transport between two addresses, without opening it. No address for results means that the
// broker keeps them.
func newTransport(broker, results string, queue queue) (*transport, error) {
	b, err := newService(broker)
	if err != nil {
		return nil, fmt.Errorf("-broker: %w", err)
	}
	if results == "" {
		return &transport{queue: queue, broker: b, results: b}, nil
	}
	r, err := newService(results)
	if err != nil {
		return nil, fmt.Errorf("-backend: %w", err)
	}
	return &transport{queue: queue, broker: b, results: r}, nil
}

// newService makes the service that an address names.
func newService(name string) (service, error) {
	if name == embedded {
		return &embeddedService{}, nil
	}
	address, err := url.Parse(name)
	if err != nil {
		// The reason given by url.Parse may quote the password.
		return nil, errors.New("not a url like redis://host:port or amqp://host:port")
	}
	switch address.Scheme {
	case "redis", "rediss":
		return newRedisService(address)
	case "amqp", "amqps":
		return newAMQPService(address)
	}
	return nil, fmt.Errorf("unknown scheme %q, want redis://host:port or amqp://host:port", address.Scheme)
}

func (t *transport) open(ctx context.Context) error {
	if err := t.broker.open(ctx); err != nil {
		return err
	}
	if t.results == t.broker {
		return nil
	}
	if err := t.results.open(ctx); err != nil {
		return errors.Join(err, t.broker.close())
	}
	return nil
}

// newServer makes a Machinery server with a broker of its own, so that workers can be stopped one by one.
func (t *transport) newServer() *machinery.Server {
	cnf := t.newConfig()
	broker := t.broker.newBroker(cnf)
	if closer, ok := broker.(io.Closer); ok {
		t.closers = append(t.closers, closer)
	}
	return machinery.NewServer(cnf, broker, t.results.newBackend(cnf), eager.New())
}

func (t *transport) newConfig() *config.Config {
	cnf := &config.Config{
		DefaultQueue:    t.queue.name,
		ResultsExpireIn: int(leftoverExpiry.Seconds()),
		NoUnixSignals:   true,
	}
	t.broker.configure(cnf, t.queue)
	t.results.configure(cnf, t.queue)
	return cnf
}

// newSource makes what tells what is on its way.
func (t *transport) newSource() inspect.Source {
	cnf := t.newConfig()
	var results inspect.Source
	if t.results != t.broker {
		results = t.results.newSource(cnf, nil)
	}
	source := t.broker.newSource(cnf, results)
	if closer, ok := source.(io.Closer); ok {
		t.closers = append(t.closers, closer)
	}
	return source
}

// close also takes away what this run alone has made on the server.
func (t *transport) close() error {
	var err error
	for _, closer := range t.closers {
		err = errors.Join(err, closer.Close())
	}
	if t.queue.temporary {
		err = errors.Join(err, t.broker.remove(t.queue))
	}
	if t.results != t.broker {
		err = errors.Join(err, t.results.close())
	}
	return errors.Join(err, t.broker.close())
}

// keepsResults reports whether a result can be read more than once: RabbitMQ hands out each once.
func (t *transport) keepsResults() bool {
	_, isAMQP := t.results.(*amqpService)
	return !isAMQP
}

// String names the servers.
func (t *transport) String() string {
	if t.results == t.broker {
		return t.broker.String()
	}
	return fmt.Sprintf("%s, results in %s", t.broker, t.results)
}

// withoutPassword is the address as it may be shown.
func withoutPassword(address *url.URL) string {
	shown := *address
	shown.User = nil
	return shown.String()
}
