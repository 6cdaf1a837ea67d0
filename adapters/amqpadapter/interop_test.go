package amqpadapter_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	machineryamqp "github.com/RichardKnop/machinery/v2/backends/amqp"
	machinerybroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

// theirs is Machinery's own broker, which panics when it is stopped twice, and opens the connections for publishing
// again that it has closed itself.
func theirs(t *testing.T, cnf *config.Config) (broker brokersiface.Broker, stop func()) {
	network := proxy(t, cnf)
	broker = machinerybroker.New(network.cnf)
	broker.SetRegisteredTaskNames([]string{"add"})
	stop = sync.OnceFunc(func() {
		broker.StopConsuming()
		network.Interrupt()
	})
	t.Cleanup(stop)
	return broker, stop
}

// mixed are configurations under which both kinds of brokers share queues.
var mixed = []struct {
	name   string
	change func(cnf *config.Config)
}{
	{"direct exchange", func(cnf *config.Config) { cnf.AMQP.BindingKey = cnf.DefaultQueue }},
	{"topic exchange", func(cnf *config.Config) {
		cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", cnf.DefaultQueue+".#"
	}},
	{"arguments of queues and bindings", func(cnf *config.Config) {
		cnf.AMQP.BindingKey = cnf.DefaultQueue
		cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-priority": 10, "x-expires": int32(60_000)}
		cnf.AMQP.QueueBindingArgs = config.QueueBindingArgs{"note": "x"}
		cnf.AMQP.AutoDelete = true
	}},
	{"one delayed queue", func(cnf *config.Config) {
		cnf.AMQP.BindingKey, cnf.AMQP.DelayedQueue = cnf.DefaultQueue, delayedQueueOf(cnf)
	}},
}

// It does not run beside other tests: on a busy machine Machinery's own broker loses delayed tasks.
func TestEachKindOfWorkerRunsTheTasksOfBoth(t *testing.T) {
	for _, m := range mixed {
		t.Run(m.name, func(t *testing.T) {
			cnf := rabbitMQ(t)
			m.change(cnf)
			ours := newBroker(t, cnf)
			machinerys, stopTheirs := theirs(t, cnf)
			send := func(prefix string) (want []string) {
				for i := range 5 {
					for by, publish := range map[string]func(context.Context, *tasks.Signature) error{
						"ours": ours.Publish, "theirs": machinerys.Publish,
					} {
						now, later := task("add", fmt.Sprint(prefix, by, i)), delayed(fmt.Sprint(prefix, by, i, "later"), time.Second)
						require.NoError(t, publish(t.Context(), now))
						require.NoError(t, publish(t.Context(), later))
						want = append(want, now.UUID, later.UUID)
					}
				}
				return want
			}

			var seenByThem, seenByUs journal
			want := send("a")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = machinerys.StartConsuming("theirs", 2, &processor{Func: seenByThem.Add})
			}()
			seenByThem.Await(t, want...)

			// Both at once.
			work(t, ours, 2, &processor{Func: seenByUs.Add})
			want = send("b")
			eventually(t, func() bool { return len(seenByThem.UUIDs())+len(seenByUs.UUIDs()) >= 40 })
			stopTheirs()
			adaptertest.Await(t, ended)
			require.Subset(t, append(seenByThem.UUIDs(), seenByUs.UUIDs()...), want)
		})
	}
}

func TestOurWorkerAloneRunsMachinerysTasks(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.BindingKey = cnf.DefaultQueue
	machinerys, _ := theirs(t, cnf)
	require.NoError(t, machinerys.Publish(t.Context(), task("add", "a")))
	require.NoError(t, machinerys.Publish(t.Context(), delayed("b", 300*time.Millisecond)))
	var seen journal
	work(t, newBroker(t, cnf), 1, &processor{Func: seen.Add})
	seen.Await(t, "a", "b")
}

func TestBackendIsOfTheTypeThatMachineryLooksFor(t *testing.T) {
	t.Parallel()
	require.IsType(t, &machineryamqp.Backend{}, amqpadapter.NewBackend(offline()))
}

func TestBackendHandsAStateOutOnce(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	backend := amqpadapter.NewBackend(cnf)
	require.NoError(t, backend.SetStatePending(&tasks.Signature{UUID: cnf.DefaultQueue + "-state", Name: "add"}))
	state, err := backend.GetState(cnf.DefaultQueue + "-state")
	require.NoError(t, err)
	require.Equal(t, tasks.StatePending, state.State)
	_, err = backend.GetState(cnf.DefaultQueue + "-state")
	require.Error(t, err)
	require.NoError(t, backend.PurgeState(cnf.DefaultQueue+"-state"))
}
