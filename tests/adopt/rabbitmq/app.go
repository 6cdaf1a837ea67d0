// Package rabbitmq is an application on RabbitMQ that has set all the handlers that Machinery has.
package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type Mail struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// An Audit says what the handlers saw, in their order.
type Audit chan string

func newServer(url, queue string, audit Audit) *machinery.Server {
	cnf := &config.Config{
		Broker: url, ResultBackend: url, DefaultQueue: queue, ResultsExpireIn: 60, NoUnixSignals: true,
		AMQP: &config.AMQPConfig{Exchange: queue, ExchangeType: "direct", BindingKey: queue, PrefetchCount: 1, AutoDelete: true},
	}
	server := machinery.NewServer(cnf, amqpbroker.New(cnf), amqpbackend.New(cnf), eagerlock.New())
	server.SetPreTaskHandler(func(s *tasks.Signature) { audit <- "publish " + s.Name })
	return server
}

func launch(server *machinery.Server, audit Audit, recipient func(*tasks.Signature) string) (quit func()) {
	worker := server.NewWorker("mail", 1)
	worker.SetPreTaskHandler(func(s *tasks.Signature) { audit <- "begin " + recipient(s) })
	worker.SetPostTaskHandler(func(s *tasks.Signature) { audit <- "end " + recipient(s) })
	worker.SetErrorHandler(func(err error) { audit <- "error " + err.Error() })
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	return func() {
		worker.Quit()
		<-ended
	}
}

func deliver(m Mail) (int64, error) {
	if m.Text == "" {
		return 0, fmt.Errorf("nothing to tell %s", m.To)
	}
	return int64(len(m.Text)), nil
}

// Before sends a mail as JSON by hand.
func Before(_ context.Context, url, queue string, mail Mail, audit Audit) (int64, error) {
	server := newServer(url, queue, audit)
	err := server.RegisterTask("mail.send", func(text string) (int64, error) {
		var m Mail
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return 0, err
		}
		return deliver(m)
	})
	if err != nil {
		return 0, err
	}
	defer launch(server, audit, func(s *tasks.Signature) string {
		var m Mail
		_ = json.Unmarshal([]byte(s.Args[0].Value.(string)), &m)
		return m.To
	})()
	text, err := json.Marshal(mail)
	if err != nil {
		return 0, err
	}
	result, err := server.SendTask(&tasks.Signature{Name: "mail.send", Args: []tasks.Arg{{Type: "string", Value: string(text)}}})
	if err != nil {
		return 0, err
	}
	values, err := result.Get(5 * time.Millisecond)
	if err != nil {
		return 0, err
	}
	return values[0].Int(), nil
}

// After sends the mail itself. The handlers stay where they are; those of the worker read the restored arguments.
func After(ctx context.Context, url, queue string, mail Mail, audit Audit) (int64, error) {
	server := newServer(url, queue, audit)
	registry := envelope.NewRegistry()
	envelope.MustRegister[Mail](registry, "mail.Mail")
	if err := registry.Check(); err != nil {
		return 0, err
	}
	m, err := middleware.Install(server, registry)
	if err != nil {
		return 0, err
	}
	if err := m.RegisterTask("mail.send", deliver); err != nil {
		return 0, err
	}
	defer launch(server, audit, func(s *tasks.Signature) string { return middleware.Args(s)[0].(Mail).To })()
	result, err := server.SendTask(&tasks.Signature{Name: "mail.send", Args: []tasks.Arg{{Value: mail}}})
	if err != nil {
		return 0, err
	}
	return middleware.Await[int64](ctx, m, result)
}
