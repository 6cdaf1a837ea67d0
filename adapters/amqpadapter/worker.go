package amqpadapter

import (
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These arguments of a consumer say whose it is, to whoever lists consumers: RabbitMQ's management plugin does. RabbitMQ
// takes any, and heeds none of these.
const (
	hostArgument        = "envelope-host"
	processArgument     = "envelope-process"
	concurrencyArgument = "envelope-concurrency"
	startedArgument     = "envelope-started"
)

// consumerArguments describe a worker that starts now.
func consumerArguments(concurrency int) amqp.Table {
	args := amqp.Table{processArgument: int64(os.Getpid()), startedArgument: time.Now()}
	if host, err := os.Hostname(); err == nil {
		args[hostArgument] = host
	}
	if concurrency > 0 {
		args[concurrencyArgument] = int64(concurrency)
	}
	return args
}

// describeProcess adds to what a connection tells of its client which process that is.
func describeProcess(properties amqp.Table) {
	properties["process"] = int64(os.Getpid())
	if host, err := os.Hostname(); err == nil {
		properties["host"] = host
	}
}
