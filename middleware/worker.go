package middleware

import (
	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// NewWorker makes a worker for the server's default queue, with the middleware
// attached. A concurrency of 0 means what it means to the broker.
func (m *Middleware) NewWorker(consumerTag string, concurrency int) *machinery.Worker {
	w := m.server.NewWorker(consumerTag, concurrency)
	m.Attach(w)
	return w
}

// Attach makes a worker restore arguments before its tasks run. It takes the
// worker's pre-task handler; give your own to Install by WithPreTask.
func (m *Middleware) Attach(w *machinery.Worker) {
	w.SetPreTaskHandler(func(s *tasks.Signature) {
		m.PreTask(s)
		if m.preTask != nil {
			m.preTask(s)
		}
	})
}
