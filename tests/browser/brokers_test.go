package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A site is a queue of its own on a broker, with five waiting tasks and three dead letters, which are numbered, and one
// delayed task.
type site struct {
	t      *testing.T
	queue  string
	broker brokersiface.Broker
	source inspect.Source
}

func (s *site) fill() *site {
	s.t.Helper()
	registry := inspecttest.NewRegistry()
	letters, err := s.source.DeadLetters(s.queue)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range 5 {
		s.publish(s.task(registry, fmt.Sprintf("waits_%d", i), i))
	}
	delayed := s.task(registry, "delayed", 1)
	later := time.Now().Add(time.Hour).UTC()
	delayed.ETA = &later
	s.publish(delayed)
	for i := range 3 {
		if err := letters.Push(s.t.Context(), s.task(registry, fmt.Sprintf("dead_%d", i), 40+i), errors.New("payment refused")); err != nil {
			s.t.Fatal(err)
		}
	}
	return s
}

func (s *site) task(registry interface {
	Marshal(context.Context, any) (string, error)
}, name string, customer int) *tasks.Signature {
	s.t.Helper()
	text, err := registry.Marshal(s.t.Context(), inspecttest.Order{
		ID: name, Customer: inspecttest.Customer{ID: customer}, Payment: &inspecttest.Card{Number: inspecttest.CardNumber},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return &tasks.Signature{
		UUID: s.queue + "_" + name, Name: "orders.place", RoutingKey: s.queue, Args: []tasks.Arg{{Type: "string", Value: text}},
	}
}

func (s *site) publish(signature *tasks.Signature) {
	s.t.Helper()
	if err := s.broker.Publish(s.t.Context(), signature); err != nil {
		s.t.Fatal(err)
	}
}

// page is the path of a page of the site's queue or of what is in it.
func (s *site) page(name, query string) string {
	return s.source.Name() + "/" + name + "?" + strings.ReplaceAll(query, "$", s.queue)
}

// awaitCounts waits until the source tells what the queue has in the end.
func (s *site) awaitCounts(b *tab, waiting, dead int) {
	s.t.Helper()
	for start := time.Now(); time.Since(start) < patience; time.Sleep(50 * time.Millisecond) {
		if q := queueOf(s.t, s.source, s.queue); q.Waiting == waiting && q.Dead == dead {
			return
		}
	}
	s.t.Fatalf("the queue has %+v, and not %d and %d, after\n%s", queueOf(s.t, s.source, s.queue), waiting, dead, b.text())
}

func redisSite(t *testing.T, opts ...redisadapter.BrokerOption) *site {
	t.Helper()
	options, err := redis.ParseURL(services.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	queue := "browser_" + uuid.NewString()
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600}
	broker := redisadapter.NewBroker(cnf, client, opts...)
	return (&site{t: t, queue: queue, broker: broker, source: redisadapter.NewSource(cnf, client)}).fill()
}

func amqpSite(t *testing.T) *site {
	t.Helper()
	queue := "browser_" + uuid.NewString()
	cnf := &config.Config{
		Broker: services.AMQP(t), DefaultQueue: queue, ResultsExpireIn: 3600,
		AMQP: &config.AMQPConfig{Exchange: queue, ExchangeType: "direct", BindingKey: queue, PrefetchCount: 1},
	}
	source := amqpadapter.NewSource(cnf, amqpadapter.BrowseQueues())
	broker := amqpadapter.NewBroker(cnf)
	t.Cleanup(func() {
		broker.StopConsuming()
		_ = source.(io.Closer).Close()
	})
	return (&site{t: t, queue: queue, broker: broker, source: source}).fill()
}

func TestEveryActionOnRedis(t *testing.T) {
	s := redisSite(t)
	b := open(t, []inspect.Source{s.source})
	everyAction(b, s)
	b.visit(s.page("task", "uuid=$_delayed"))
	b.click("Run now")
	b.awaitText("waits to be run now")
	s.awaitCounts(b, 7, 0)
}

// doer does every task.
type doer struct{}

func (doer) Process(*tasks.Signature) error { return nil }
func (doer) CustomQueue() string            { return "" }
func (doer) PreConsumeHandler() bool        { return true }

func TestTheOverviewShowsTheThroughputOfWorkersOnRedis(t *testing.T) {
	s := redisSite(t, redisadapter.WithHeartbeatTimeout(100*time.Millisecond))
	s.broker.SetRegisteredTaskNames([]string{"orders.place"})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.broker.StartConsuming("worker", 1, doer{})
	}()
	t.Cleanup(func() {
		s.broker.StopConsuming()
		<-ended
	})
	b := open(t, []inspect.Source{s.source})
	b.visit("")
	b.awaitText("Waiting tasks")
	b.awaitText("Throughput")
}

func TestEveryActionOnRabbitMQ(t *testing.T) {
	s := amqpSite(t)
	b := open(t, []inspect.Source{s.source})
	everyAction(b, s)
	b.visit(s.page("queue", "queue=$&state=delayed"))
	b.awaitText("RabbitMQ")
}

// everyAction does what a source of both brokers can. The queue has six tasks then, and no dead letters.
func everyAction(b *tab, s *site) {
	s.t.Helper()
	b.visit("")
	b.awaitText(s.queue)
	b.click(s.queue)
	b.awaitText("waits_4")
	b.click("Pause")
	b.awaitText("The queue is paused.")
	b.click("Resume")
	b.awaitText("The queue is resumed.")

	b.visit(s.page("task", "uuid=$_waits_0"))
	b.awaitText("payments.Card")
	if strings.Contains(evaluate[string](b, "document.documentElement.outerHTML"), inspecttest.CardNumber) {
		s.t.Error("the page has the secret")
	}
	b.click("Delete…")
	b.click("Delete this task")
	b.awaitText("The task is deleted.")
	s.awaitCounts(b, 4, 3)

	b.visit(s.page("dead", "queue=$"))
	b.awaitText("dead_2")
	filterAndBegin(b, "order.customer.id = 42", "Replay these")
	b.click("Replay 1 dead letter")
	b.awaitText("1 of 1 replayed")
	s.awaitCounts(b, 5, 2)

	b.visit(s.page("dead", "queue=$"))
	b.run(clickLink("dead_0"))
	b.click("Replay")
	b.awaitText("sent again")
	s.awaitCounts(b, 6, 1)
	b.visit(s.page("dead", "queue=$"))
	b.run(clickLink("dead_1"))
	b.click("Drop…")
	b.click("Drop this letter")
	b.awaitText("dropped")
	s.awaitCounts(b, 6, 0)
}

func filterAndBegin(b *tab, filter, button string) {
	b.t.Helper()
	b.run(sendFilter(filter))
	b.click("Apply")
	b.awaitText("and found 1")
	b.click(button)
	b.awaitText("1 dead letter")
}
