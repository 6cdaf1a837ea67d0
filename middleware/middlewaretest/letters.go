package middlewaretest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A DeadLetter is a task that no worker can do.
type DeadLetter struct {
	// Task is the task as it was received; nil where the message is none.
	Task *tasks.Signature
	// Reason is why it is here.
	Reason error
	// Queue is the queue that it came from, and Body the message.
	Queue string
	Body  []byte
}

// DeadLetters returns the dead letters of the broker, oldest first. Those of middleware.WithDeadLetters are not among
// them.
func (s *Server) DeadLetters() []DeadLetter {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return slices.Clone(s.memory.letters)
}

// bury makes a dead letter of a message, unless the connection was lost meanwhile.
func (m *memory) bury(p *message, reason error) {
	if !m.acknowledge(p) {
		return
	}
	letter := DeadLetter{Reason: reason, Queue: p.queue, Body: p.body}
	letter.Task, _ = decode(p.body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, letter)
}

// letterbox is the broker's dead letters for the middleware.
type letterbox struct{ memory *memory }

// Push keeps a task that was not received as a message, or not by this broker.
func (b letterbox) Push(_ context.Context, s *tasks.Signature, reason error) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	b.memory.letters = append(b.memory.letters, DeadLetter{Task: s, Reason: reason, Queue: s.RoutingKey, Body: body})
	return nil
}
