package main

import (
	"fmt"

	"github.com/RichardKnop/machinery/v2"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	workerCount = 2
	// workerTasks is how many tasks a worker runs at once.
	workerTasks = 2
)

// worker is a Machinery worker that has been launched.
type worker struct {
	*machinery.Worker
	ended chan error
}

// launchWorkers starts workers that run the given tasks. Each has a server to itself, as if it ran on its own.
func launchWorkers(t transport, r *envelope.Registry, tasks map[string]any) ([]worker, error) {
	var workers []worker
	for i := range workerCount {
		m, err := middleware.Install(t.newServer(), r)
		if err != nil {
			return workers, err
		}
		if err := m.RegisterTasks(tasks); err != nil {
			return workers, err
		}
		launched := worker{
			Worker: m.NewWorker(fmt.Sprintf("worker-%d", i+1), workerTasks),
			ended:  make(chan error, 1),
		}
		launched.LaunchAsync(launched.ended)
		workers = append(workers, launched)
	}
	return workers, nil
}

// quit stops the workers when they have finished what they are running.
func quit(workers []worker) {
	for _, worker := range workers {
		worker.Quit()
		<-worker.ended
	}
}
