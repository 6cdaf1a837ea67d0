package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/RichardKnop/machinery/v2"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// workers are those of this process.
type workers struct {
	transport *transport
	registry  *envelope.Registry
	observer  middleware.Observer
	launched  []*machinery.Worker
	running   sync.WaitGroup
}

// launch starts a worker that runs so many tasks at once. It has a server to itself, as if it ran on its own. If it
// ends by itself, fail is told why.
func (w *workers) launch(name string, concurrency int, tasks map[string]any, fail context.CancelCauseFunc) error {
	m, err := middleware.Install(w.transport.newServer(), w.registry, middleware.WithObserver(w.observer))
	if err != nil {
		return err
	}
	if err := m.RegisterTasks(tasks); err != nil {
		return err
	}
	worker := m.NewWorker(name, concurrency)
	w.launched = append(w.launched, worker)
	w.running.Go(func() {
		fail(fmt.Errorf("%s has stopped: %w", name, cmp.Or(worker.Launch(), errNoMoreTasks)))
	})
	return nil
}

// errNoMoreTasks is why a worker ends that has not been told to, if the broker does not say.
var errNoMoreTasks = errors.New("no more tasks from the broker")

// quit stops the workers when they have finished what they are running.
func (w *workers) quit() {
	for _, worker := range w.launched {
		worker.Quit()
	}
	w.running.Wait()
}

// work runs tasks until it is interrupted.
func work(ctx context.Context, options options, out io.Writer) error {
	transport := options.transports[0]
	if err := transport.open(ctx); err != nil {
		return err
	}
	return errors.Join(workOn(ctx, options, transport, out), transport.close())
}

func workOn(ctx context.Context, options options, transport *transport, out io.Writer) error {
	registry, err := newRegistry(options.encryption...)
	if err != nil {
		return err
	}
	measured, err := newMetrics()
	if err != nil {
		return err
	}
	shown, err := servePage(ctx, options, transport, registry, measured, out)
	if err != nil {
		return err
	}
	defer shown.close()
	log := workerLog{out: out}
	workers := workers{transport: transport, registry: registry, observer: measured.following(&traffic{})}
	working, fail := context.WithCancelCause(ctx)
	if err := workers.launch(options.name, options.concurrency, newTasks(options.name, log.add), fail); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s waits for tasks of %q on %s\n", options.name, transport.queue.name, transport)

	<-working.Done()
	cause := context.Cause(working)
	workers.quit()
	fmt.Fprintf(out, "%s stops after %d tours\n", options.name, log.tours)
	if ctx.Err() != nil {
		return nil
	}
	return cause
}

// workerLog has a line for each tour.
type workerLog struct {
	mutex sync.Mutex
	out   io.Writer
	tours int
}

func (l *workerLog) add(found Found) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.tours++
	fmt.Fprintf(l.out, "%-20s %d long, %.3f s\n", found.Strategy, found.Tour.Length, found.Took.Seconds())
}
