package amqpadapter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// connectTimeout bounds connecting to one address, where its URL has no connection_timeout.
	connectTimeout = 30 * time.Second
	// closeTimeout bounds the wait for a RabbitMQ that does not answer when a connection is closed.
	closeTimeout = time.Second
)

// endpoint is where RabbitMQ is, and how to reach it.
type endpoint struct {
	urls []string
	tls  *tls.Config
}

func endpointOf(cnf *config.Config) endpoint {
	urls := []string{cnf.Broker}
	if cnf.MultipleBrokerSeparator != "" {
		urls = strings.Split(cnf.Broker, cnf.MultipleBrokerSeparator)
	}
	return endpoint{urls: urls, tls: cnf.TLSConfig}
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

// dial connects to the first address that answers. Errors hold no passwords.
func (e endpoint) dial(ctx context.Context, name string) (*connection, error) {
	var failures []error
	for _, address := range e.urls {
		connection, err := e.dialOne(ctx, address, name)
		if err == nil {
			return connection, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("connect to rabbitmq: %w", errors.Join(failures...))
}

func (e endpoint) dialOne(ctx context.Context, address, name string) (*connection, error) {
	uri, err := amqp.ParseURI(address)
	if err != nil {
		return nil, withoutURL(err)
	}
	timeout := connectTimeout
	if uri.ConnectionTimeout > 0 {
		timeout = time.Duration(uri.ConnectionTimeout) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	var socket net.Conn
	stopWatching := func() (inTime bool) { return true }
	opened, err := amqp.DialConfig(address, e.config(name, func(network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		socket = newWriteBuffer(raw)
		stopWatching = closeWhenCancelled(ctx, raw)
		// The library lifts the deadline once the server has introduced itself.
		deadline, _ := ctx.Deadline()
		return socket, socket.SetDeadline(deadline)
	}))
	if !stopWatching() && errors.Is(ctx.Err(), context.Canceled) {
		err = context.Cause(ctx)
	}
	if err != nil && socket != nil {
		_ = socket.Close()
	}
	if err != nil {
		return nil, dialError(err)
	}
	return &connection{opened, socket}, nil
}

// closeWhenCancelled ends an exchange of greetings: the library knows no context. Where only the time is up, a connection
// that is opened a little later is one for the next message.
func closeWhenCancelled(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			_ = conn.Close()
		}
	})
}

func (e endpoint) config(name string, dial func(network, address string) (net.Conn, error)) amqp.Config {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	describeProcess(properties)
	return amqp.Config{
		Locale:          "en_US",
		Properties:      properties,
		TLSClientConfig: e.tls.Clone(), // the library writes the server's name into it
		Dial:            dial,
	}
}

// dialError marks an error as lost unless it comes again however often one tries: RabbitMQ does not know the user, or
// nobody knows the server's certificate.
func dialError(err error) error {
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.AccessRefused {
		return err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return err
	}
	return lost{err}
}

// withoutURL keeps the password that may be in a URL out of the error about it.
func withoutURL(err error) error {
	var malformed *url.Error
	if errors.As(err, &malformed) {
		return fmt.Errorf("broker URL: %w", malformed.Err)
	}
	return fmt.Errorf("broker URL: %w", err)
}
