package middlewaretest

import (
	"runtime"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
)

// consumePoll is how long a launched worker waits whose PreConsumeHandler refuses.
const consumePoll = 100 * time.Millisecond

// handOver is the consumer tag with which StartConsuming keeps the processor for Run and RunOne and returns.
const handOver = "middlewaretest: hand the processor over"

// StartConsuming runs tasks until StopConsuming is called, then waits for those that run and returns false. A
// concurrency under 1 is two tasks for each CPU.
func (b *broker) StartConsuming(tag string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	b.mu.Lock()
	if tag == handOver {
		b.handed = processor
	}
	if tag == handOver || b.isClosed {
		b.mu.Unlock()
		return false, nil
	}
	b.running.Add(1)
	b.mu.Unlock()
	defer b.running.Done()

	b.memory.mu.Lock()
	b.memory.clock.start()
	b.memory.mu.Unlock()
	if concurrency < 1 {
		concurrency = 2 * runtime.NumCPU()
	}
	queue := processor.CustomQueue()
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	c := &consumer{b, queue, processor, make(chan struct{}, concurrency)}
	c.run()
	return false, nil
}

// StopConsuming stops every launched worker of the server, for good, and returns when the last task has ended. It may
// be called at any time, more than once.
func (b *broker) StopConsuming() {
	b.mu.Lock()
	if !b.isClosed {
		b.isClosed = true
		close(b.stopping)
	}
	b.mu.Unlock()
	b.running.Wait()
}

// consumer is what StartConsuming runs.
type consumer struct {
	*broker
	queue     string
	processor brokersiface.TaskProcessor
	slots     chan struct{} // as many as tasks may run at once
}

// run returns when the broker stops and the last task has ended.
func (c *consumer) run() {
	var running sync.WaitGroup
	defer running.Wait()
	for c.acquire() {
		if !c.processor.PreConsumeHandler() {
			<-c.slots
			c.wait(consumePoll, nil)
			continue
		}
		p := c.memory.take(c.wants)
		if p == nil {
			<-c.slots
			c.waitForMessage()
			continue
		}
		running.Go(func() {
			defer func() { <-c.slots }()
			c.deliver(p, c.processor)
		})
	}
}

// acquire waits for a slot. It returns false when the broker stops.
func (c *consumer) acquire() bool {
	select {
	case <-c.stopping:
		return false
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return true
	case <-c.stopping:
		return false
	}
}

func (c *consumer) wants(p *message) bool { return p.queue == c.queue && c.can(p) }

func (c *consumer) waitForMessage() {
	at, changed := c.memory.next(c.wants)
	if !at.IsZero() {
		c.wait(time.Until(at), changed)
		return
	}
	select {
	case <-changed:
	case <-c.stopping:
	}
}

// wait waits for so long, at most until something changes.
func (c *consumer) wait(d time.Duration, changed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-c.stopping:
	}
}
