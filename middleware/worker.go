package middleware

import (
	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// NewWorker makes a worker for the server's default queue, with the middleware attached. A concurrency of 0 means what
// it means to the broker.
func (m *Middleware) NewWorker(consumerTag string, concurrency int) *machinery.Worker {
	w := m.server.NewWorker(consumerTag, concurrency)
	m.Attach(w)
	return w
}

// Attach gives a worker the handler of WithPreTask, in its only slot for one, and restores arguments before that. The
// handler is not run for a task whose arguments cannot be restored. Without the option Attach leaves the worker as it
// is: tasks of any worker of the server restore their arguments.
func (m *Middleware) Attach(w *machinery.Worker) {
	if m.preTask == nil {
		return
	}
	w.SetPreTaskHandler(func(s *tasks.Signature) {
		if restores(s) {
			m.preTask(s)
		}
	})
}

// restores restores the arguments of a task, and reports whether that was possible or is not the middleware's to do.
func restores(s *tasks.Signature) bool {
	Args(s)
	d := deliveries.of(s)
	return d == nil || d.argsErr == nil
}
