package main

import "fmt"

// An amqpSend is how many goroutines send.
type amqpSend int

var amqpSends = []amqpSend{1, 16}

// name is that of the sub-benchmark, in which all brokers take turns.
func (s amqpSend) name(queue string) string {
	return fmt.Sprintf("op=send/senders=%d/queue=%s", s, queue)
}

func (s amqpSend) title() string {
	if s == 1 {
		return "sent by one goroutine"
	}
	return fmt.Sprintf("sent by %d goroutines", s)
}

// took is the measurement of the time for a task.
func (s amqpSend) took(queue, broker string) measurement {
	return measurement{"RabbitMQBroker/" + s.name(queue), "", 2, sendUnit(broker)}
}

// computed is the measurement of what the process computes for a task.
func (s amqpSend) computed(queue, broker string) measurement {
	return measurement{"RabbitMQBroker/" + s.name(queue), "", 2, sendCPUUnit(broker)}
}

func sendUnit(broker string) string    { return broker + "-sec" }
func sendCPUUnit(broker string) string { return broker + "-cpu-sec" }

// reportSendCPU is about the sending process, without RabbitMQ.
func reportSendCPU(m *measurements) string {
	var rows [][]string
	for _, send := range amqpSends {
		row := []string{send.title()}
		for _, queue := range amqpQueues {
			theirs, ours := m.median(send.computed(queue, "machinery")), m.median(send.computed(queue, "amqpadapter"))
			row = append(row, duration(theirs), duration(ours), times(ours/theirs, 2))
		}
		rows = append(rows, row)
	}
	return "\nCPU time of the sending process for each task, without RabbitMQ's:\n\n" + amqpTable("CPU time", rows)
}
