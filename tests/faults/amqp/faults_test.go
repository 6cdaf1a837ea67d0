package amqp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

const (
	// sent is how many tasks are confirmed to the producer.
	sent    = 10_000
	senders = 16
	workers = 2
)

func TestNoConfirmedTaskIsLost(t *testing.T) {
	t.Parallel()
	faults := []struct {
		name   string
		lend   func(t *testing.T) *node
		strike func(t *testing.T, n *node, c *crew, part int)
		parts  int // times that it strikes
	}{
		{"when workers are killed", rabbitMQ, killWorkers, 4},
		{"when RabbitMQ closes all connections", disturbedRabbitMQ, closeConnections, 2},
		{"when RabbitMQ stops and starts", disturbedRabbitMQ, restartApplication, 1},
		{"when the virtual host restarts", disturbedRabbitMQ, restartVirtualHost, 1},
		{"when RabbitMQ is killed", disturbedRabbitMQ, killNode, 1},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			n := fault.lend(t)
			queue := "faults-" + rand.Text()
			c := hire(t, n, queue, workers)
			p := produce(t, n, queue)
			for part := range fault.parts {
				require.True(t, waitFor(func() bool { return p.confirmed.Load() >= int64((part+1)*sent/(fault.parts+2)) }))
				fault.strike(t, n, c, part)
			}
			c.awaits(t, p.wait())
		})
	}
}

func killWorkers(_ *testing.T, _ *node, c *crew, part int) { c.kill(part % workers) }

func closeConnections(t *testing.T, n *node, _ *crew, _ int) {
	n.ctl(t, "close_all_connections", "a test of faults")
}

func restartApplication(t *testing.T, n *node, _ *crew, _ int) {
	n.ctl(t, "stop_app")
	n.ctl(t, "start_app")
}

// restartVirtualHost does so until the queues run: RabbitMQ begins again by itself too, and where both are at it at once,
// queues may stay stopped.
func restartVirtualHost(t *testing.T, n *node, _ *crew, _ int) {
	require.True(t, waitFor(func() bool {
		n.ctl(t, "eval", `{ok, Pid} = rabbit_vhost_sup_sup:get_vhost_sup(<<"/">>), exit(Pid, kill).`)
		n.ctl(t, "restart_vhost")
		return waitAtMost(20*time.Second, func() bool {
			stopped, err := n.run("eval", `length([Q || Q <- rabbit_amqqueue:list(<<"/">>), amqqueue:get_state(Q) =/= live]).`)
			return err == nil && stopped == "0"
		})
	}))
}

func killNode(t *testing.T, n *node, _ *crew, _ int) {
	n.kill()
	require.NoError(t, n.start())
	n.await(t)
}

// A producer sends tasks until enough of them are confirmed. It sends a task again that was not.
type producer struct {
	server    *machinery.Server
	confirmed atomic.Int64
	sending   sync.WaitGroup
	ids       []string
}

func newProducer(t *testing.T, n *node, queue string) *producer {
	p := &producer{server: newServer(configOf(n.url, queue))}
	t.Cleanup(func() { _ = p.server.GetBroker().(io.Closer).Close() })
	return p
}

func produce(t *testing.T, n *node, queue string) *producer {
	p := newProducer(t, n, queue)
	p.produce(t, sent, func(id string) error { return p.send("record", id) })
	return p
}

// produce sends so many tasks until they are confirmed.
func (p *producer) produce(t *testing.T, sent int, send func(id string) error) {
	ids := make(chan string, sent)
	for i := range sent {
		p.ids = append(p.ids, fmt.Sprintf("task-%05d", i))
		ids <- p.ids[i]
	}
	close(ids)
	for range senders {
		p.sending.Go(func() {
			for id := range ids {
				if !waitFor(func() bool { return send(id) == nil }) {
					t.Errorf("task %s was not taken", id)
					return
				}
				p.confirmed.Add(1)
			}
		})
	}
}

func (p *producer) wait() []string {
	p.sending.Wait()
	return p.ids
}

func (p *producer) send(name, id string) error { return p.sendLater(name, id, 0) }

func (p *producer) sendLater(name, id string, delay time.Duration) error {
	s := &tasks.Signature{UUID: id, Name: name, Args: []tasks.Arg{{Type: "string", Value: id}}}
	if delay > 0 {
		eta := time.Now().Add(delay)
		s.ETA = &eta
	}
	return p.server.GetBroker().Publish(context.Background(), s)
}

func TestShortDelaysAllArrive(t *testing.T) {
	t.Parallel()
	n := rabbitMQ(t)
	queue := "faults-" + rand.Text()
	c := hire(t, n, queue, workers)
	p := newProducer(t, n, queue)
	for i := range 1000 {
		p.ids = append(p.ids, fmt.Sprintf("task-%05d", i))
		require.NoError(t, p.sendLater("record", p.ids[i], time.Duration(1+i%20)*time.Millisecond))
	}
	c.awaits(t, p.ids)
}

// Poison is what is no task, what cannot be processed, and what kills its worker.
func TestPoisonEndsInTheDeadLettersAndNothingElse(t *testing.T) {
	t.Parallel()
	const poison, killers = 1000, 4
	n := rabbitMQ(t)
	queue := "faults-" + rand.Text()
	c := hire(t, n, queue, workers)
	p := newProducer(t, n, queue)
	connection, err := amqp.Dial(n.url)
	require.NoError(t, err)
	defer connection.Close()
	channel, err := connection.Channel()
	require.NoError(t, err)

	for i := range poison {
		id := fmt.Sprintf("task-%05d", i)
		p.ids = append(p.ids, id)
		require.NoError(t, p.send("record", id))
		switch {
		case i%(poison/killers) == poison/killers/2:
			require.NoError(t, p.send("kill", "kill-"+id))
		case i%2 == 0:
			require.NoError(t, p.send("fail", "fail-"+id))
		default:
			garbage := amqp.Publishing{CorrelationId: "garbage-" + id, Body: []byte("{")}
			require.NoError(t, channel.Publish("", queue, true, false, garbage))
		}
	}
	// A worker that is killed may have put a message in the dead letters without acknowledging it: some are there
	// twice.
	dead := make(map[string]bool)
	_, err = channel.QueueDeclare(queue+".dead", true, false, false, false, nil)
	require.NoError(t, err)
	require.True(t, waitFor(func() bool {
		for {
			d, ok, err := channel.Get(queue+".dead", true)
			require.NoError(t, err)
			if !ok {
				return len(dead) >= poison
			}
			id := d.CorrelationId // of the garbage
			if id == "" {
				id = uuidOf(t, d)
			}
			dead[id] = true
		}
	}), "only %d of %d poisons are in the dead letters", len(dead), poison)
	c.awaits(t, p.ids)
	for _, id := range p.ids {
		require.False(t, dead[id], "a good task is in the dead letters")
	}
	require.Equal(t, poison, len(dead))
}
