package main

import "fmt"

var rabbitMQBroker = section{
	title:     "rabbitmq broker",
	benchmark: "RabbitMQBroker",
	runs:      []run{{cpu: "2", benchtime: "2s"}},
	report:    reportRabbitMQBroker,
	bounds:    boundRabbitMQBroker,
}

const aboutRabbitMQBroker = `Package amqpadapter's broker against Machinery's own, with tasks of 1 KB and nothing else: no server, no
result backend. "sent" is until RabbitMQ has confirmed, with nobody to receive. "done" is sent by eight goroutines and
processed by a worker of concurrency 8 in the same process, with a PrefetchCount of 16, until the last one has ended. Rounds
are of two seconds.

`

const (
	// dueTasks are due at once.
	dueTasks = 1000
	// dueSeconds is how long they may take.
	dueSeconds = 3
	dueUnit    = "due-sec"
)

var (
	amqpBrokers    = []string{"machinery", "amqpadapter"}
	amqpOperations = []struct {
		name, title string
		least       float64 // speed of Machinery's
	}{
		{"send/senders=1", "sent by one goroutine", 1},
		{"send/senders=16", "sent by 16 goroutines", 2},
		{"done", "done", 1},
	}
)

// amqpOperation is the measurement of one sub-benchmark.
func amqpOperation(operation, broker string) measurement {
	return measurement{fmt.Sprintf("RabbitMQBroker/op=%s/broker=%s", operation, broker), "", 2, seconds}
}

var amqpDue = measurement{"RabbitMQBroker/op=due/broker=amqpadapter", "", 2, dueUnit}

func reportRabbitMQBroker(m *measurements) string {
	var rows [][]string
	for _, op := range amqpOperations {
		theirs, ours := m.median(amqpOperation(op.name, "machinery")), m.median(amqpOperation(op.name, "amqpadapter"))
		rows = append(rows, []string{op.title, rate(theirs), rate(ours), times(theirs/ours, 2)})
	}
	return aboutRabbitMQBroker + table([]string{"tasks per second", "Machinery", "amqpadapter", "ratio"}, rows) +
		fmt.Sprintf("\n%d delayed tasks, due at once, are done %s after that.\n", dueTasks, duration(m.median(amqpDue)))
}

func boundRabbitMQBroker(m *measurements) []bound {
	var bounds []bound
	for _, op := range amqpOperations {
		speed := m.median(amqpOperation(op.name, "machinery")) / m.median(amqpOperation(op.name, "amqpadapter"))
		bounds = append(bounds, atLeast(op.least, speed, "tasks "+op.title+" on RabbitMQ, speed of Machinery's broker"))
	}
	return append(bounds, below(1, m.median(amqpDue)/dueSeconds,
		fmt.Sprintf("time until %d delayed tasks that are due at once on RabbitMQ are done, of %d s", dueTasks, dueSeconds)))
}
