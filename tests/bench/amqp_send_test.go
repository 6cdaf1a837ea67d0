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
	brokersOfEach = 3
	// tasksOfOne is how many tasks a goroutine sends in a turn, where there are several, and fewestTasks how many all
	// of them together send at least.
	tasksOfOne, fewestTasks = 25, 100
)

// A turn is what one task of a broker's turn took, in seconds.
type turn struct{ took, computed float64 }

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
	turns := make(map[string][]turn)
	for range b.N {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			turns[s.kind] = append(turns[s.kind], takeTurn(b, s.broker, senders))
		}
	}
	for _, kind := range amqpBrokers {
		b.ReportMetric(medianOf(turns[kind], func(t turn) float64 { return t.took }), sendUnit(kind))
		b.ReportMetric(medianOf(turns[kind], func(t turn) float64 { return t.computed }), sendCPUUnit(kind))
	}
}

func takeTurn(b *testing.B, broker brokersiface.Broker, senders int) turn {
	tasks := max(fewestTasks, senders*tasksOfOne)
	begin, computed := time.Now(), ownCPU(b)
	sendShares(b, broker, senders, tasks)
	return turn{time.Since(begin).Seconds() / float64(tasks), (ownCPU(b) - computed).Seconds() / float64(tasks)}
}

func medianOf(turns []turn, value func(turn) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, value(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
