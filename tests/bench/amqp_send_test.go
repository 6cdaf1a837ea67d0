package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
)

const (
	// brokersOfEach is how many brokers of each kind take turns: two queues are never equally fast.
	brokersOfEach = 6
	// tasksOfOne is how many tasks a goroutine sends in a turn, where there are several, and fewestTasks how many all
	// of them together send at least.
	tasksOfOne, fewestTasks = 25, 100
)

// benchmarkSends has brokers of both kinds send by turns, in another order in each of b.N rounds: what RabbitMQ takes to
// confirm a task changes within seconds by more than the difference between the brokers.
func benchmarkSends(b *testing.B, queue string, senders int) {
	type sender struct {
		kind   string
		broker brokersiface.Broker
	}
	var all []sender
	for _, kind := range slices.Repeat(amqpBrokers, brokersOfEach) {
		broker := newAMQPBroker(b, queue, kind)
		publish(b, broker, task()) // connects
		all = append(all, sender{kind, broker})
	}
	took, computed := make(map[string][]float64), make(map[string][]float64) // for a task in each turn, in seconds
	tasks := max(fewestTasks, senders*tasksOfOne)
	for range b.N {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			begin, beginCPU := time.Now(), ownCPU(b)
			sendShares(b, s.broker, senders, tasks)
			took[s.kind] = append(took[s.kind], time.Since(begin).Seconds()/float64(tasks))
			computed[s.kind] = append(computed[s.kind], (ownCPU(b)-beginCPU).Seconds()/float64(tasks))
		}
	}
	for _, kind := range amqpBrokers {
		b.ReportMetric(median(took[kind]), sendUnit(kind))
		b.ReportMetric(median(computed[kind]), sendCPUUnit(kind))
	}
}
