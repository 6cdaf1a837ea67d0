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

// crew is the workers of this process.
type crew struct {
	transport *transport
	registry  *envelope.Registry
	observer  middleware.Observer
	workers   []*machinery.Worker
	running   sync.WaitGroup
}

// launch starts a worker that runs so many tasks at once. It has a server to itself, as if it ran on its own. If it
// ends by itself, fail is told why.
func (c *crew) launch(name string, concurrency int, tasks map[string]any, fail context.CancelCauseFunc) error {
	m, err := middleware.Install(c.transport.newServer(), c.registry, middleware.WithObserver(c.observer))
	if err != nil {
		return err
	}
	if err := m.RegisterTasks(tasks); err != nil {
		return err
	}
	worker := m.NewWorker(name, concurrency)
	c.workers = append(c.workers, worker)
	c.running.Go(func() {
		fail(fmt.Errorf("%s has stopped: %w", name, cmp.Or(worker.Launch(), errNoMoreTasks)))
	})
	return nil
}

// errNoMoreTasks is why a worker ends that has not been told to, if the broker does not say.
var errNoMoreTasks = errors.New("no more tasks from the broker")

// quit stops the workers when they have finished what they are running.
func (c *crew) quit() {
	for _, worker := range c.workers {
		worker.Quit()
	}
	c.running.Wait()
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
	log := workerLog{out: out}
	crew := crew{transport: transport, registry: registry, observer: &traffic{}}
	working, fail := context.WithCancelCause(ctx)
	if err := crew.launch(options.name, options.concurrency, newTasks(options.name, log.add), fail); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s waits for tasks of %q on %s\n", options.name, transport.queue.name, transport)

	<-working.Done()
	cause := context.Cause(working)
	crew.quit()
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
