package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// amqpTransport carries tasks over a RabbitMQ server.
type amqpTransport struct {
	name  string
	url   string
	queue string
}

func newAMQPTransport(address *url.URL) (*amqpTransport, error) {
	if _, err := amqp.ParseURI(address.String()); err != nil {
		return nil, err
	}
	return &amqpTransport{name: withoutPassword(address), url: address.String(), queue: newQueueName()}, nil
}

func (t *amqpTransport) String() string { return t.name }

func (t *amqpTransport) open(ctx context.Context) error {
	connection, err := t.dial(ctx)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", t, err)
	}
	return connection.Close()
}

func (t *amqpTransport) dial(ctx context.Context) (*amqp.Connection, error) {
	return amqp.DialConfig(t.url, amqp.Config{
		Dial: func(network, address string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: reachTimeout}
			connection, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The client lifts this deadline once the server has introduced itself.
			return connection, connection.SetDeadline(time.Now().Add(reachTimeout))
		},
	})
}

func (t *amqpTransport) newServer() *machinery.Server {
	cnf := &config.Config{
		Broker:          t.url,
		ResultBackend:   t.url,
		DefaultQueue:    t.queue,
		ResultsExpireIn: int(leftoverExpiry.Seconds()),
		NoUnixSignals:   true,
		AMQP: &config.AMQPConfig{
			Exchange:     t.queue,
			ExchangeType: "direct",
			// Machinery takes the routing key of a direct exchange for the name of the queue, too.
			BindingKey:       t.queue,
			PrefetchCount:    1,
			QueueDeclareArgs: config.QueueDeclareArgs{"x-expires": int32(leftoverExpiry.Milliseconds())},
		},
	}
	return machinery.NewServer(cnf, amqpadapter.NewBroker(cnf), amqpadapter.NewBackend(cnf), eager.New())
}

func (t *amqpTransport) close() error {
	connection, err := t.dial(context.Background())
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if _, err := channel.QueueDelete(t.queue, false, false, false); err != nil {
		return err
	}
	return channel.ExchangeDelete(t.queue, false, false)
}
