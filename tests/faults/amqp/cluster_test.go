package amqp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// clusterConfiguration is that of nodes that find each other.
func clusterConfiguration(nodes []*node) string {
	lines := []string{"log.console = true", "log.file = false", "cluster_formation.peer_discovery_backend = classic_config"}
	for i, n := range nodes {
		lines = append(lines, fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s", i+1, n.name))
	}
	return strings.Join(lines, "\n") + "\n"
}

// newCluster starts three nodes, with a virtual host whose queues are quorum queues, and returns them and their common
// address.
func newCluster(t *testing.T) (nodes []*node, entry *node) {
	t.Helper()
	needPrograms(t)
	take(t, working)
	port := freePort()
	epmd, err := startEpmd(port)
	require.NoError(t, err)
	t.Cleanup(epmd.remove)
	var urls []string
	for i := range 3 {
		n, err := prepareNode(fmt.Sprint("cluster-", i), port, passOnAgain)
		require.NoError(t, err)
		nodes, urls = append(nodes, n), append(urls, n.url+"quorum")
	}
	for _, n := range nodes {
		n.write(t, "rabbitmq.conf", []byte(clusterConfiguration(nodes)))
		require.NoError(t, n.start())
		t.Cleanup(n.stop)
		n.await(t) // the first makes the cluster, the others join it
	}
	nodes[0].ctl(t, "add_vhost", "quorum", "--default-queue-type", "quorum")
	nodes[0].ctl(t, "set_permissions", "-p", "quorum", "guest", ".*", ".*", ".*")
	return nodes, &node{url: strings.Join(urls, ";")}
}

// produceMixed sends tasks of which a third come later, and another third are followed by another task.
func produceMixed(t *testing.T, entry *node, queue string, many int) *producer {
	p := newProducer(t, entry, queue)
	record := func(id string) *tasks.Signature {
		return &tasks.Signature{UUID: id, Name: "record", Args: []tasks.Arg{{Type: "string", Value: id}}}
	}
	p.produce(t, many, func(id string) error {
		s := record(id)
		switch id[len(id)-1] % 3 {
		case 1:
			eta := time.Now().Add(2 * time.Second)
			s.ETA = &eta
		case 2:
			s.OnSuccess = []*tasks.Signature{record(id + "-next")}
		}
		return p.server.GetBroker().Publish(context.Background(), s)
	})
	for _, id := range p.ids {
		if id[len(id)-1]%3 == 2 {
			p.ids = append(p.ids, id+"-next")
		}
	}
	return p
}

func TestClusterLosesNoTask(t *testing.T) {
	t.Parallel()
	nodes, entry := newCluster(t)
	t.Run("when one node is killed and another restarted", func(t *testing.T) {
		const many = 10_000
		queue := "faults-" + rand.Text()
		c := hire(t, entry, queue, workers)
		p := produceMixed(t, entry, queue, many)
		confirmed := func(part int) func() bool {
			return func() bool { return p.confirmed.Load() >= int64(part*many/4) }
		}
		require.True(t, waitFor(confirmed(1)))
		nodes[0].kill() // the one that all are connected to
		killed, before := time.Now(), len(c.done(t))
		require.True(t, waitFor(func() bool { return len(c.done(t)) > before+100 }))
		require.Less(t, time.Since(killed), 30*time.Second, "work goes on")
		require.True(t, waitFor(confirmed(2)))
		require.NoError(t, nodes[0].start())
		nodes[0].await(t)
		require.True(t, waitFor(confirmed(3)))
		nodes[2].ctl(t, "stop_app")
		nodes[2].ctl(t, "start_app")
		c.awaits(t, p.wait())
	})
	t.Run("when all nodes are restarted in turn", func(t *testing.T) {
		const many = 4000
		queue := "faults-" + rand.Text()
		c := hire(t, entry, queue, workers)
		p := produceMixed(t, entry, queue, many)
		for i, n := range nodes {
			require.True(t, waitFor(func() bool { return p.confirmed.Load() >= int64((i+1)*many/4) }))
			n.ctl(t, "stop_app")
			n.ctl(t, "start_app")
		}
		c.awaits(t, p.wait())
	})
	t.Run("when a queue has no majority of its nodes", func(t *testing.T) {
		const many = 1000
		queue, stuck := "faults-"+rand.Text(), "faults-"+rand.Text()
		c := hire(t, entry, queue, workers)
		p := newProducer(t, entry, queue)
		declareOn(t, nodes[2], stuck)
		toStuck := &tasks.Signature{UUID: "stuck", Name: "record", RoutingKey: stuck}
		require.NoError(t, p.server.GetBroker().Publish(t.Context(), toStuck))
		nodes[2].kill()
		ctx, giveUp := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for _, sender := range []*producer{p, newProducer(t, entry, queue)} { // the second has yet to declare the queue
			for range 300 { // more than are sent at a time without being confirmed
				waiting.Go(func() {
					assert.ErrorIs(t, sender.server.GetBroker().Publish(ctx, toStuck), amqpadapter.ErrNotConfirmed)
				})
			}
			require.True(t, waitFor(func() bool { return sender.send("record", "to another queue") == nil }))
		}
		p.produce(t, many, func(id string) error { return p.send("record", id) })
		c.awaits(t, p.wait())
		giveUp()
		waiting.Wait()
		require.NoError(t, nodes[2].start())
		nodes[2].await(t)
	})
}

// declareOn declares a quorum queue that has no other node than this one.
func declareOn(t *testing.T, n *node, queue string) {
	t.Helper()
	connection, err := amqp.Dial(n.url + "quorum")
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	_, err = channel.QueueDeclare(queue, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: amqp.QueueTypeQuorum, "x-quorum-initial-group-size": 1,
	})
	require.NoError(t, err)
}
