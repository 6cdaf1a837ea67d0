package main

import "fmt"

var rabbitMQBroker = section{
	title:     "rabbitmq broker",
	benchmark: "RabbitMQBroker",
	runs: []run{
		{cpu: "2", benchtime: "20x", only: "/op=send$"},
		{cpu: "2", benchtime: "1s", only: "/op=(done|sent-and-done|many|due)$"},
	},
	report: reportRabbitMQBroker,
	bounds: boundRabbitMQBroker,
}

const aboutRabbitMQBroker = `Package amqpadapter's broker against Machinery's own, with tasks of 1 KB and nothing else: no server, no
result backend. "sent" is until RabbitMQ has confirmed, with nobody to receive: six brokers of each kind take 20 turns
of 100 tasks each, or of 400, in random order. "done" is processed by a worker of concurrency 8, with a PrefetchCount of 16,
that finds all tasks in the queue, as on Redis, until the last one has ended; "sent and done" is sent by eight goroutines of
the same process meanwhile. These take a second each, in random order too. RabbitMQ shares the cores with the benchmark.

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
	amqpOperations = []amqpOperation{
		{amqpSend(1).title(), 1, amqpSend(1).took},
		{amqpSend(16).title(), 1, amqpSend(16).took},
		{"done", 1.1, amqpTook("done")},
		{"sent and done", 1.1, amqpTook("sent-and-done")},
	}
)

// An amqpOperation is a row of the report.
type amqpOperation struct {
	title string
	least float64 // speed of Machinery's, with classic queues
	took  func(queue, broker string) measurement
}

// speed is how many times as fast as Machinery's broker amqpadapter's is.
func (op amqpOperation) speed(m *measurements, queue string) float64 {
	return m.median(op.took(queue, "machinery")) / m.median(op.took(queue, "amqpadapter"))
}

// amqpName is that of a sub-benchmark of one broker.
func amqpName(operation, queue, broker string) string {
	return fmt.Sprintf("op=%s/queue=%s/broker=%s", operation, queue, broker)
}

// amqpTook returns the measurements of such sub-benchmarks.
func amqpTook(operation string) func(queue, broker string) measurement {
	return func(queue, broker string) measurement {
		return measurement{"RabbitMQBroker/" + amqpName(operation, queue, broker), "", 2, seconds}
	}
}

var amqpMany = amqpTook("many")

var amqpDue = measurement{"RabbitMQBroker/" + amqpName("due", "classic", "amqpadapter"), "", 2, dueUnit}

func reportRabbitMQBroker(m *measurements) string {
	var rows [][]string
	for _, op := range amqpOperations {
		row := []string{op.title}
		for _, queue := range amqpQueues {
			row = append(row, rate(m.median(op.took(queue, "machinery"))), rate(m.median(op.took(queue, "amqpadapter"))),
				times(op.speed(m, queue), 2))
		}
		rows = append(rows, row)
	}
	many := []string{fmt.Sprintf("sent by PublishMany, %d at a time", manyTasks)}
	for _, queue := range amqpQueues {
		many = append(many, "–", rate(m.median(amqpMany(queue, "amqpadapter"))), "–")
	}
	return aboutRabbitMQBroker + amqpTable("tasks per second", append(rows, many)) + reportSendCPU(m) +
		fmt.Sprintf("\n%d delayed tasks, due at once, are done %s after that.\n", dueTasks, duration(m.median(amqpDue)))
}

// amqpTable has the brokers side by side, for each type of queue.
func amqpTable(about string, rows [][]string) string {
	head := []string{about}
	for _, queue := range amqpQueues {
		head = append(head, queue+" queue: Machinery", "amqpadapter", "ratio")
	}
	return table(head, rows)
}

func boundRabbitMQBroker(m *measurements) []bound {
	var bounds []bound
	for _, op := range amqpOperations {
		bounds = append(bounds, atLeast(op.least, op.speed(m, "classic"), "tasks "+op.title+" on RabbitMQ, speed of Machinery's broker"))
	}
	speed := m.median(amqpSend(1).took("classic", "amqpadapter")) / m.median(amqpMany("classic", "amqpadapter"))
	return append(bounds,
		atLeast(manySpeed, speed, fmt.Sprintf("tasks sent by PublishMany of %d on RabbitMQ, speed of one by one", manyTasks)),
		below(1, m.median(amqpDue)/dueSeconds,
			fmt.Sprintf("time until %d delayed tasks that are due at once on RabbitMQ are done, of %d s", dueTasks, dueSeconds)))
}
