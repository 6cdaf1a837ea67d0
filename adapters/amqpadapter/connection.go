package amqpadapter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// connectTimeout bounds connecting to all addresses together, but for those whose URL has a connection_timeout.
	connectTimeout = 30 * time.Second
	// leastShare is what an address gets of the time in any case: a smaller part may be too little for one that is well.
	leastShare = 2 * time.Second
	// closeTimeout bounds the wait for a RabbitMQ that does not answer when a connection is closed.
	closeTimeout = time.Second
)

// endpoint is where RabbitMQ is, and how to reach it. All connections of a broker share one.
type endpoint struct {
	urls []string
	tls  *tls.Config
	// first is the index of the address to begin with. After the last one follows the one of index 0.
	first atomic.Int64
}

func endpointOf(cnf *config.Config) *endpoint {
	urls := []string{cnf.Broker}
	if cnf.MultipleBrokerSeparator != "" {
		urls = strings.Split(cnf.Broker, cnf.MultipleBrokerSeparator)
	}
	return &endpoint{urls: urls, tls: cnf.TLSConfig}
}

// A connection is one of the client library, and what it runs on.
type connection struct {
	*amqp.Connection
	socket net.Conn
}

// hangUp closes the connection. It waits for an answer until ctx ends, and not for long: the library's own deadline moves
// with each frame that comes. What was written still leaves.
func (c connection) hangUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := waitFor(ctx, c.Close)
	if ctx.Err() != nil {
		_ = c.socket.Close()
		return nil
	}
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// dial connects to the first address that answers, and begins after the one that failed last: with the one that worked
// last, or with another where one that swallows packets has taken all the time there was. Errors hold no passwords.
func (e *endpoint) dial(ctx context.Context, name string) (*connection, error) {
	var failures []error
	first, began := int(e.first.Load()), time.Now()
	for tried := range e.urls {
		at := (first + tried) % len(e.urls)
		connection, err := e.dialOne(ctx, e.urls[at], name, remaining{began, len(e.urls) - tried})
		if err == nil {
			return connection, nil
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			e.first.Store(int64(at + 1))
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("connect to rabbitmq: %w", errors.Join(failures...))
}

// remaining is what is left of connecting: since when that goes on, and how many addresses were not tried.
type remaining struct {
	began     time.Time
	addresses int
}

// timeout bounds connecting to the next address: by its share of the time until the deadline of ctx, and by its URL's
// connection_timeout or else its share of connectTimeout.
func (r remaining) timeout(ctx context.Context, uri amqp.URI) time.Duration {
	timeout := r.share(r.began.Add(connectTimeout))
	if uri.ConnectionTimeout > 0 {
		timeout = time.Duration(uri.ConnectionTimeout) * time.Millisecond
	}
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, r.share(deadline))
	}
	return timeout
}

func (r remaining) share(deadline time.Time) time.Duration {
	return max(time.Until(deadline)/time.Duration(r.addresses), leastShare)
}

func (e *endpoint) dialOne(ctx context.Context, address, name string, left remaining) (*connection, error) {
	uri, err := amqp.ParseURI(address)
	if err != nil {
		return nil, withoutURL(err)
	}
	ctx, cancel := context.WithTimeout(ctx, left.timeout(ctx, uri))
	defer cancel()

	var socket net.Conn
	stopWatching := func() (inTime bool) { return true }
	opened, err := amqp.DialConfig(address, e.config(name, uri, func(network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		socket = newWriteBuffer(raw)
		// The library knows no context, and moves a deadline of the socket with each frame that comes.
		stopWatching = context.AfterFunc(ctx, func() { _ = raw.Close() })
		return socket, nil
	}))
	if !stopWatching() {
		err = fmt.Errorf("%s: %w", net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), context.Cause(ctx))
	}
	if err != nil && socket != nil {
		_ = socket.Close()
	}
	if err != nil {
		return nil, dialError(err)
	}
	return &connection{opened, socket}, nil
}

func (e *endpoint) config(name string, uri amqp.URI, dial func(network, address string) (net.Conn, error)) amqp.Config {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	describeProcess(properties)
	return amqp.Config{
		SASL:            authenticationsOf(uri, properties),
		Locale:          "en_US",
		Properties:      properties,
		TLSClientConfig: e.tls.Clone(), // the library writes the server's name into it
		Dial:            dial,
	}
}

// errNotLetIn stands for what the library takes for a wrong password or virtual host wherever a connection ends.
var errNotLetIn = errors.New("connection ended before rabbitmq had let the user in")

// dialError marks an error as lost unless it comes again however often one tries: RabbitMQ does not know the user or the
// way in which he says who he is, or nobody knows the server's certificate.
func dialError(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || errors.Is(err, amqp.ErrSASL) {
		return err
	}
	refused, ok := errors.AsType[*amqp.Error](err)
	if !ok || refused.Code != amqp.AccessRefused {
		return lost{err}
	}
	if !refused.Server {
		return lost{errNotLetIn}
	}
	return fmt.Errorf("%w: %w", amqp.ErrCredentials, err)
}

// withoutURL keeps the password that may be in a URL out of the error about it.
func withoutURL(err error) error {
	var malformed *url.Error
	if errors.As(err, &malformed) {
		return fmt.Errorf("broker URL: %w", malformed.Err)
	}
	return fmt.Errorf("broker URL: %w", err)
}
