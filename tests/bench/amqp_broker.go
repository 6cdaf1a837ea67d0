package main

import "fmt"

var rabbitMQBroker = section{
	title:     "rabbitmq broker",
	benchmark: "RabbitMQBroker",
	runs:      []run{{cpu: "2", benchtime: "1s"}},
	report:    reportRabbitMQBroker,
	bounds:    boundRabbitMQBroker,
}

const aboutRabbitMQBroker = `Package amqpadapter's broker against Machinery's own, with tasks of 1 KB and nothing else: no server, no
result backend. "sent" is until RabbitMQ has confirmed, with nobody to receive. "done" is processed by a worker of
concurrency 8, with a PrefetchCount of 16, that finds all tasks in the queue, as on Redis, until the last one has ended;
"sent and done" is sent by eight goroutines of the same process meanwhile. Rounds are of a second.

`

const (
	// dueTasks are due at once.
	dueTasks = 1000
	// dueSeconds is how long they may take.
	dueSeconds = 3
	dueUnit    = "due-sec"
	// manyTasks are sent by one PublishMany.
	manyTasks = 1000
	// manySpeed is how many times as fast as one by one they must be sent.
	manySpeed = 5
)

var (
	amqpQueues     = []string{"classic", "quorum"}
	amqpBrokers    = []string{"machinery", "amqpadapter"}
	amqpOperations = []struct {
		name, title string
		least       float64 // speed of Machinery's, with classic queues
	}{
		{"send/senders=1", "sent by one goroutine", 1},
		{"send/senders=16", "sent by 16 goroutines", 1},
		{"done", "done", 1.1},
		{"sent-and-done", "sent and done", 1.1},
	}
)

// amqpName is that of a sub-benchmark.
func amqpName(operation, queue, broker string) string {
	return fmt.Sprintf("op=%s/queue=%s/broker=%s", operation, queue, broker)
}

// amqpOperation is the measurement of one sub-benchmark.
func amqpOperation(operation, queue, broker string) measurement {
	return measurement{"RabbitMQBroker/" + amqpName(operation, queue, broker), "", 2, seconds}
}

var amqpDue = measurement{"RabbitMQBroker/" + amqpName("due", "classic", "amqpadapter"), "", 2, dueUnit}

func reportRabbitMQBroker(m *measurements) string {
	var rows [][]string
	for _, op := range amqpOperations {
		row := []string{op.title}
		for _, queue := range amqpQueues {
			theirs, ours := m.median(amqpOperation(op.name, queue, "machinery")), m.median(amqpOperation(op.name, queue, "amqpadapter"))
			row = append(row, rate(theirs), rate(ours), times(theirs/ours, 2))
		}
		rows = append(rows, row)
	}
	many := []string{fmt.Sprintf("sent by PublishMany, %d at a time", manyTasks)}
	for _, queue := range amqpQueues {
		many = append(many, "–", rate(m.median(amqpOperation("many", queue, "amqpadapter"))), "–")
	}
	head := []string{"tasks per second"}
	for _, queue := range amqpQueues {
		head = append(head, queue+" queue: Machinery", "amqpadapter", "ratio")
	}
	return aboutRabbitMQBroker + table(head, append(rows, many)) +
		fmt.Sprintf("\n%d delayed tasks, due at once, are done %s after that.\n", dueTasks, duration(m.median(amqpDue)))
}

func boundRabbitMQBroker(m *measurements) []bound {
	var bounds []bound
	for _, op := range amqpOperations {
		speed := m.median(amqpOperation(op.name, "classic", "machinery")) / m.median(amqpOperation(op.name, "classic", "amqpadapter"))
		bounds = append(bounds, atLeast(op.least, speed, "tasks "+op.title+" on RabbitMQ, speed of Machinery's broker"))
	}
	speed := m.median(amqpOperation("send/senders=1", "classic", "amqpadapter")) / m.median(amqpOperation("many", "classic", "amqpadapter"))
	return append(bounds,
		atLeast(manySpeed, speed, fmt.Sprintf("tasks sent by PublishMany of %d on RabbitMQ, speed of one by one", manyTasks)),
		below(1, m.median(amqpDue)/dueSeconds,
			fmt.Sprintf("time until %d delayed tasks that are due at once on RabbitMQ are done, of %d s", dueTasks, dueSeconds)))
}
