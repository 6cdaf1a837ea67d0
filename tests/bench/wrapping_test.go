package main

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/null"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A taker is a broker of which only the receiving side is there: it hands the processor over.
type taker struct {
	brokersiface.Broker
	processor brokersiface.TaskProcessor
}

func (t *taker) SetRegisteredTaskNames([]string) {}

func (t *taker) StartConsuming(_ string, _ int, p brokersiface.TaskProcessor) (bool, error) {
	t.processor = p
	return false, nil
}

// A caller runs tasks as Machinery's worker does, without their states.
type caller struct {
	brokersiface.TaskProcessor
	server *machinery.Server
}

func (c caller) Process(s *tasks.Signature) error {
	function, err := c.server.GetRegisteredTask(s.Name)
	if err != nil {
		return err
	}
	task, err := tasks.NewWithSignature(function, s)
	if err != nil {
		return err
	}
	_, err = task.Call()
	return err
}

func totalOf(order Order, line Line) int64 { return order.Number + int64(line.Quantity) }

// byHand is the same task without the middleware.
func byHand(ctx context.Context, orderText, lineText string) (int64, error) {
	var order Order
	if err := registry.Unmarshal(ctx, orderText, &order); err != nil {
		return 0, err
	}
	var line Line
	if err := registry.Unmarshal(ctx, lineText, &line); err != nil {
		return 0, err
	}
	return totalOf(order, line), nil
}

func BenchmarkWrapping(b *testing.B) {
	broker := &taker{}
	server := machinery.NewServer(newConfig(), broker, null.New(), eagerlock.New())
	m, err := middleware.Install(server, registry)
	if err != nil {
		b.Fatal(err)
	}
	err = m.RegisterTask("middleware", func(_ context.Context, order Order, line Line) (int64, error) {
		return totalOf(order, line), nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := server.RegisterTask("direct", byHand); err != nil {
		b.Fatal(err)
	}
	direct := caller{server: server}
	if _, err := server.GetBroker().StartConsuming("", 0, direct); err != nil {
		b.Fatal(err)
	}
	b.Run("way=direct", func(b *testing.B) { process(b, m, direct, "direct") })
	b.Run("way=middleware", func(b *testing.B) { process(b, m, broker.processor, "middleware") })
}

// process times a task from its signature on, as brokers hand it over: each has one of its own.
func process(b *testing.B, m *middleware.Middleware, p brokersiface.TaskProcessor, task string) {
	order := newOrder(5)
	sent, err := m.Signature(context.Background(), task, order, order.Lines[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		received := *sent
		if err := p.Process(&received); err != nil {
			b.Fatal(err)
		}
	}
}
