package middlewaretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// broker is a server's way to the memory.
type broker struct {
	common.Broker
	memory *memory
	server *Server

	mu       sync.Mutex
	handed   brokersiface.TaskProcessor // see handOver
	stopping chan struct{}
	isClosed bool
	running  sync.WaitGroup // StartConsuming
}

var (
	_ brokersiface.Broker         = (*broker)(nil)
	_ middleware.Redeliverer      = (*broker)(nil)
	_ middleware.DeadLetterBroker = (*broker)(nil)
)

func newBroker(cnf *config.Config, m *memory) *broker {
	return &broker{Broker: common.NewBroker(cnf), memory: m, stopping: make(chan struct{})}
}

// Redelivers returns true.
func (b *broker) Redelivers() bool { return true }

// DeadLetters returns those of the memory.
func (b *broker) DeadLetters() middleware.DeadLetters { return letterbox{b.memory} }

// SetRegisteredTaskNames tells launched workers that tasks which were unknown may be known now.
func (b *broker) SetRegisteredTaskNames(names []string) {
	b.Broker.SetRegisteredTaskNames(names)
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	b.memory.tell()
}

// Publish puts the message of a task in the queue that its RoutingKey names. Its errors are those of json.Marshal, and
// those of FailPublish and LoseConnection.
func (b *broker) Publish(_ context.Context, s *tasks.Signature) error {
	b.AdjustRoutingKey(s)
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", s.Name, err)
	}
	sent, err := decode(body)
	if err != nil {
		return fmt.Errorf("publish task %s: %w", s.Name, err)
	}
	b.memory.step("published " + s.Name)
	if err := b.memory.refusePublish(); err != nil {
		return fmt.Errorf("publish task %s: %w", s.Name, err)
	}
	b.memory.publish(sent, body)
	return nil
}

// errNoTask is the reason of a dead letter whose message is no task.
var errNoTask = errors.New("message is no task")

// decode reads a task, whose numbers stay as they were written.
func decode(body []byte) (*tasks.Signature, error) {
	s := new(tasks.Signature)
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("%w: it is not the JSON of one", errNoTask)
	}
	if s.Name == "" {
		return nil, fmt.Errorf("%w: it has no name", errNoTask)
	}
	return s, nil
}

// GetPendingTasks returns the tasks of a queue that are due.
func (b *broker) GetPendingTasks(queue string) ([]*tasks.Signature, error) {
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	return b.memory.list(func(p *message, now time.Time) bool { return p.queue == queue && !p.due.After(now) }), nil
}

// GetDelayedTasks returns the tasks of all queues that are not due yet.
func (b *broker) GetDelayedTasks() ([]*tasks.Signature, error) {
	return b.memory.list(func(p *message, now time.Time) bool { return p.due.After(now) }), nil
}

// can reports whether the workers of the broker can do with a message what there is to do: run it, or drop it where its
// sender wants that.
func (b *broker) can(p *message) bool {
	return b.IsTaskRegistered(p.signature.Name) || p.signature.IgnoreWhenTaskNotRegistered
}
