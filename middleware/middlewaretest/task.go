package middlewaretest

import (
	"context"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// maxDeliveries bounds how often Run delivers one task.
const maxDeliveries = 1000

// Run sends a task, has it run through the whole wire, and returns its result, or its error as middleware.Await does:
// a *middleware.TaskError. For a task that returns only an error, T is struct{}. An error of sending is returned too.
//
// The task runs at once, whatever its ETA, and again for each retry, without the clock being put forward. What follows
// the task, such as its callbacks, is sent and waits: see Server.Run and RequireSent. So do tasks that were sent before.
//
// The server of m is a Server, and knows the task; else Run fails the test.
func Run[T any](t TB, m *middleware.Middleware, signature *tasks.Signature) (T, error) {
	t.Helper()
	s := serverOf(t, m)
	var none T
	if signature == nil {
		t.Fatalf("middlewaretest: Run: the signature is nil")
	}
	if !s.IsTaskRegistered(signature.Name) {
		t.Fatalf("middlewaretest: Run: task %q is not registered on this server: see middleware.RegisterTask", signature.Name)
	}
	res, err := m.SendTask(context.Background(), signature)
	if err != nil {
		return none, err
	}
	s.finish(t, signature.UUID)
	if state := res.GetState(); !state.IsCompleted() {
		t.Fatalf("middlewaretest: Run: task %q has not ended: its state is %s", signature.Name, state.State)
	}
	return middleware.Await[T](context.Background(), m, res)
}

// serverOf returns the Server that the middleware is installed on.
func serverOf(t TB, m *middleware.Middleware) *Server {
	t.Helper()
	for b := middleware.ServerOf(m).GetBroker(); b != nil; {
		if own, ok := b.(*broker); ok {
			return own.server
		}
		outer, ok := b.(interface{ Unwrap() brokersiface.Broker })
		if !ok {
			break
		}
		b = outer.Unwrap()
	}
	t.Fatalf("middlewaretest: the middleware is installed on another server: make it with middlewaretest.NewServer")
	return nil
}

// finish delivers a task until no message of it waits. It returns the worker of the first delivery, if that was to die.
func (s *Server) finish(t TB, uuid string) (first *mortal) {
	t.Helper()
	for n := range maxDeliveries {
		p := s.memory.takeUUID(uuid)
		if p == nil {
			return first
		}
		if worker := s.deliver(p); n == 0 {
			first = worker
		}
	}
	t.Fatalf("middlewaretest: task %s was delivered %d times and has not ended", uuid, maxDeliveries)
	return first
}
