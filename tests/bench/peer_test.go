package main

import (
	"sync"
	"testing"
	"time"
)

// A taskQueue is a way to have tasks done through a server. Each task takes one number and returns it; its result is
// kept.
type taskQueue interface {
	// sendAll sends n tasks, in equal shares.
	sendAll(b *testing.B, n, senders int)
	// waiting is how many tasks the server has for a worker.
	waiting(b *testing.B) int
	// work runs tasks until the benchmark ends, and calls done at the end of each.
	work(b *testing.B, concurrency int, done func())
	// kept is how many of the tasks sent last have ended well and have the right result.
	kept(b *testing.B) int
	// serverCPU is the time that the server has computed.
	serverCPU(b *testing.B) time.Duration
}

// benchmarkSentBy times sending, with nobody to receive.
func benchmarkSentBy(b *testing.B, queue taskQueue, senders int) {
	queue.sendAll(b, senders, senders) // connects
	cpu := startCPU(b, queue.serverCPU)
	b.ResetTimer()
	queue.sendAll(b, b.N, senders)
	b.StopTimer()
	cpu.report(b)
	if got := queue.waiting(b); got != senders+b.N {
		b.Fatalf("%d tasks wait of %d that were sent", got, senders+b.N)
	}
}

// benchmarkDoneBy times a worker that finds all tasks in the queue.
func benchmarkDoneBy(b *testing.B, queue taskQueue, concurrency int) {
	queue.sendAll(b, b.N, workers)
	var running sync.WaitGroup
	running.Add(b.N)
	cpu := startCPU(b, queue.serverCPU)
	b.ResetTimer()
	queue.work(b, concurrency, running.Done)
	running.Wait()
	b.StopTimer()
	cpu.report(b)
	awaitKept(b, queue)
}

// keptWithin is how long after its task a result may be kept.
const keptWithin = 10 * time.Second

// awaitKept fails the benchmark when not each task has its result: what drops results would be fast.
func awaitKept(b *testing.B, queue taskQueue) {
	b.Helper()
	deadline := time.Now().Add(keptWithin)
	for {
		kept := queue.kept(b)
		if kept == b.N {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d results are kept of %d tasks", kept, b.N)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// share has so many goroutines call f, for each number below n.
func share(n, goroutines int, f func(i int)) {
	var running sync.WaitGroup
	for first := range goroutines {
		running.Go(func() {
			for i := first; i < n; i += goroutines {
				f(i)
			}
		})
	}
	running.Wait()
}
