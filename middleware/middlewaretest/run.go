package middlewaretest

import (
	"context"
	"runtime"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
)

// Advance puts the clock of the server forward. It runs nothing: what is due then waits for Run. In a bubble of
// testing/synctest it sleeps.
func (s *Server) Advance(d time.Duration) {
	s.memory.mu.Lock()
	isBubble := s.memory.clock.isBubble
	if !isBubble {
		s.memory.clock.advance(d)
		s.memory.tell()
	}
	s.memory.mu.Unlock()
	if isBubble {
		time.Sleep(d)
	}
}

// Run runs every task of every queue that is due, and what they trigger, one after another, until nothing is due. It
// returns how often a task was delivered to a worker. A task that this server does not know stays in its queue. Where
// ctx is done first, as by a task that sends itself again and again, Run fails the test.
func (s *Server) Run(ctx context.Context) (delivered int) {
	s.t.Helper()
	for s.RunOne() {
		delivered++
		if err := ctx.Err(); err != nil {
			s.t.Fatalf("middlewaretest: Run: %v after %d tasks, and more may be due", err, delivered)
		}
	}
	return delivered
}

// RunOne runs the task that has been due for the longest, and reports whether there was one.
func (s *Server) RunOne() bool {
	s.t.Helper()
	p := s.memory.take(s.broker.can)
	if p == nil {
		return false
	}
	s.deliver(p)
	return true
}

// deliver has the worker process a message, on a goroutine of its own where it may die.
func (s *Server) deliver(p *message) *mortal {
	s.t.Helper()
	processor := s.processor(p.queue)
	worker := s.memory.mortal()
	if worker == nil {
		s.broker.deliver(p, processor)
		return nil
	}
	defer s.memory.survived()
	ended, completed := make(chan struct{}), false
	go func() {
		defer close(ended)
		s.broker.deliver(p, processor)
		completed = true
	}()
	<-ended
	if !completed && !worker.isDead {
		runtime.Goexit() // the task has ended the test
	}
	return worker
}

// processor returns what the middleware makes of the worker for a queue.
func (s *Server) processor(queue string) brokersiface.TaskProcessor {
	s.t.Helper()
	worker := *s.Worker()
	if queue != s.GetConfig().DefaultQueue {
		worker.Queue = queue
	}
	if _, err := s.GetBroker().StartConsuming(handOver, 1, &worker); err != nil {
		s.t.Fatalf("middlewaretest: %v", err)
	}
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	return s.broker.handed
}
