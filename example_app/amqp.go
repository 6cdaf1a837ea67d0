package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// amqpService is a RabbitMQ server.
type amqpService struct {
	name string
	url  string
}

func newAMQPService(address *url.URL) (*amqpService, error) {
	if _, err := amqp.ParseURI(address.String()); err != nil {
		return nil, err
	}
	return &amqpService{name: withoutPassword(address), url: address.String()}, nil
}

func (s *amqpService) String() string { return s.name }

func (s *amqpService) open(ctx context.Context) error {
	connection, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", s, err)
	}
	return connection.Close()
}

func (s *amqpService) dial(ctx context.Context) (*amqp.Connection, error) {
	return amqp.DialConfig(s.url, amqp.Config{
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

func (s *amqpService) configure(cnf *config.Config, queue queue) {
	cnf.Broker = s.url
	cnf.ResultBackend = s.url
	cnf.AMQP = &config.AMQPConfig{
		Exchange:     queue.name,
		ExchangeType: "direct",
		// Machinery takes the routing key of a direct exchange for the name of the queue, too.
		BindingKey:    queue.name,
		PrefetchCount: 1,
	}
	if queue.temporary {
		cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-expires": int32(leftoverExpiry.Milliseconds())}
	}
}

func (s *amqpService) newBroker(cnf *config.Config) brokersiface.Broker {
	return amqpadapter.NewBroker(cnf)
}

func (s *amqpService) newBackend(cnf *config.Config) backendsiface.Backend {
	return amqpadapter.NewBackend(cnf)
}

func (s *amqpService) newSource(cnf *config.Config, results inspect.Source) inspect.Source {
	if results == nil {
		return amqpadapter.NewSource(cnf)
	}
	return amqpadapter.NewSource(cnf, inspect.WithResults(results))
}

func (s *amqpService) remove(queue queue) error {
	connection, err := s.dial(context.Background())
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if _, err := channel.QueueDelete(queue.name, false, false, false); err != nil {
		return err
	}
	return channel.ExchangeDelete(queue.name, false, false)
}

func (s *amqpService) close() error { return nil }
