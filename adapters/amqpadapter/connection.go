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
	// connectPatience bounds connecting to one address, where its URL has no connection_timeout.
	connectPatience = 30 * time.Second
	// closePatience bounds the farewell to a RabbitMQ that does not answer.
	closePatience = 3 * time.Second
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

// hangUp says farewell, and waits only so long for an answer. The library's own deadline moves with each frame that comes.
func (c connection) hangUp() error {
	timer := time.AfterFunc(closePatience, func() { _ = c.socket.Close() })
	defer timer.Stop()
	err := c.Close()
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// dial connects to the first address that answers. wrap stands between the client library and the network. Errors
// tell no passwords.
func (e endpoint) dial(ctx context.Context, name string, wrap func(net.Conn) net.Conn) (*connection, error) {
	var failures []error
	for _, address := range e.urls {
		connection, err := e.dialOne(ctx, address, name, wrap)
		if err == nil {
			return connection, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("connect to rabbitmq: %w", errors.Join(failures...))
}

func (e endpoint) dialOne(ctx context.Context, address, name string, wrap func(net.Conn) net.Conn) (*connection, error) {
	uri, err := amqp.ParseURI(address)
	if err != nil {
		return nil, withoutURL(err)
	}
	patience := connectPatience
	if uri.ConnectionTimeout > 0 {
		patience = time.Duration(uri.ConnectionTimeout) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	var socket net.Conn
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	opened, err := amqp.DialConfig(address, amqp.Config{
		Locale:          "en_US",
		Properties:      properties,
		TLSClientConfig: e.tls.Clone(), // the library writes the server's name into it
		Dial: func(network, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			socket = wrap(raw)
			// The library lifts the deadline once the server has introduced itself.
			deadline, _ := ctx.Deadline()
			return socket, socket.SetDeadline(deadline)
		},
	})
	if err != nil && socket != nil {
		_ = socket.Close()
	}
	if err != nil {
		return nil, err
	}
	return &connection{opened, socket}, nil
}

// withoutURL keeps the password that may be in a URL out of the error about it.
func withoutURL(err error) error {
	var malformed *url.Error
	if errors.As(err, &malformed) {
		return fmt.Errorf("broker URL: %w", malformed.Err)
	}
	return fmt.Errorf("broker URL: %w", err)
}

func asItIs(conn net.Conn) net.Conn { return conn }
