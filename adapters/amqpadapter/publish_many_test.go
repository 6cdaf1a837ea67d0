package amqpadapter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	nullbackend "github.com/RichardKnop/machinery/v2/backends/null"
	"github.com/RichardKnop/machinery/v2/backends/result"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestPublishManySendsAllInOrderAndReportsEach(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf).(amqpadapter.Broker)
	const many, bad = 1000, 500
	var batch []*tasks.Signature
	var want []string
	for i := range many {
		batch = append(batch, task("add", fmt.Sprint(i)))
		if i != bad {
			want = append(want, fmt.Sprint(i))
		}
	}
	batch[bad].RoutingKey = strings.Repeat("x", 300)
	for i, err := range broker.PublishMany(t.Context(), batch) {
		if i == bad {
			require.ErrorIs(t, err, amqpadapter.ErrTooLarge)
			continue
		}
		require.NoError(t, err)
	}
	require.Equal(t, len(want), waiting(t, cnf, cnf.DefaultQueue))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return len(seen.UUIDs()) == len(want) })
	require.Equal(t, want, seen.UUIDs())
}

func TestGroupIsSentAtOnceButForAMemberThatCannotBe(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	const many, bad = 300, 100
	server := machinery.NewServer(cnf, newBroker(t, cnf), nullbackend.New(), eagerlock.New())
	m, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)
	var members []*tasks.Signature
	for i := range many {
		members = append(members, task("add", fmt.Sprint(i)))
	}
	members[bad].RoutingKey = strings.Repeat("x", 300)
	group, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	_, err = m.SendGroup(t.Context(), group, 1)
	require.ErrorContains(t, err, amqpadapter.ErrTooLarge.Error())
	require.Equal(t, many-1, waiting(t, cnf, cnf.DefaultQueue))
	var seen journal
	work(t, newBroker(t, cnf), 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return len(seen.UUIDs()) == many-1 })
	for i, uuid := range seen.UUIDs()[:bad] {
		require.Equal(t, fmt.Sprint(i), uuid, "in the order of the group")
	}
}

func TestPublishManyAsksOnceToLetAnUnknownUserIn(t *testing.T) {
	t.Parallel()
	network := proxy(t, rabbitMQ(t))
	broker := newBroker(t, ofUnknownUser(t, network.cnf)).(amqpadapter.Broker)
	for _, err := range broker.PublishMany(t.Context(), []*tasks.Signature{task("add", "a"), task("add", "b"), task("add", "c")}) {
		require.ErrorIs(t, err, amqp.ErrCredentials)
		require.NotErrorIs(t, err, amqpadapter.ErrNotConfirmed)
	}
	require.Equal(t, 1, network.Opened())
}

func TestPublishManyOpensItsFirstConnectionWhenRabbitMQIsThere(t *testing.T) {
	t.Parallel()
	network := proxy(t, rabbitMQ(t))
	network.Interrupt()
	published := make(chan []error, 1)
	broker := newBroker(t, network.cnf).(amqpadapter.Broker)
	go func() {
		published <- broker.PublishMany(t.Context(), []*tasks.Signature{task("add", "a"), task("add", "b")})
	}()
	eventually(t, func() bool { return network.Refused() >= 2 })
	network.Mend()
	require.Equal(t, []error{nil, nil}, adaptertest.Await(t, published))
}

func TestSendErrorNamesWhatIsNotSentWhenRabbitMQGoesDownMidway(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf)
	m, err := middleware.Install(machinery.NewServer(cnf, broker, nullbackend.New(), eagerlock.New()), envelope.NewRegistry())
	require.NoError(t, err)
	publishAtLast(t, broker, task("add", "first"))
	const confirmed, rest = 4096, 200 // a batch is confirmed before the next begins
	var sent []*tasks.Signature
	for i := range confirmed + rest {
		sent = append(sent, task("add", fmt.Sprint(i)))
		if i >= confirmed {
			sent[i].Args = []tasks.Arg{{Type: "string", Value: strings.Repeat("x", 100<<10)}}
		}
	}
	network.InterruptAfter(rest / 2 * 100 << 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var results []*result.AsyncResult
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		results, err = m.SendTasks(ctx, sent...)
	}()
	eventually(t, func() bool { return network.Refused() > 0 })
	cancel()
	adaptertest.Await(t, ended)
	require.ErrorContains(t, err, "publish task add: ")
	var failure *middleware.SendError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, len(sent), failure.Sent+len(failure.Failed))
	require.GreaterOrEqual(t, failure.Sent, confirmed)
	require.GreaterOrEqual(t, len(failure.Failed), rest/2-1)
	require.GreaterOrEqual(t, waiting(t, cnf, cnf.DefaultQueue), 1+failure.Sent, "some that were not confirmed may be there")
	for _, failed := range failure.Failed {
		require.Equal(t, fmt.Sprint(failed.Index), failed.UUID)
		require.Nil(t, results[failed.Index])
		results[failed.Index] = result.NewAsyncResult(sent[failed.Index], nil)
	}
	require.NotContains(t, results, (*result.AsyncResult)(nil), "the others have results")
}

func BenchmarkPublish(b *testing.B) {
	const many = 1000
	for _, way := range []string{"one by one", "many"} {
		b.Run(way, func(b *testing.B) {
			broker := newBroker(b, rabbitMQ(b)).(amqpadapter.Broker)
			var batch []*tasks.Signature
			for i := range many {
				batch = append(batch, task("add", fmt.Sprint(i)))
			}
			for b.Loop() {
				if way == "many" {
					for _, err := range broker.PublishMany(b.Context(), batch) {
						require.NoError(b, err)
					}
					continue
				}
				for _, s := range batch {
					require.NoError(b, broker.Publish(b.Context(), s))
				}
			}
		})
	}
}
