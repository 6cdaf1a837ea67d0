package redisadapter

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

// shortestPop is the shortest wait that go-redis can ask of Redis.
const shortestPop = time.Second

// consumer is one worker's share of a broker, from StartConsuming to StopConsuming.
type consumer struct {
	*broker
	processor brokersiface.TaskProcessor
	queue     string
	wakeKey   string
	slots     chan struct{}
	running   sync.WaitGroup
	lap       lap
}

func newConsumer(b *broker, concurrency int, processor brokersiface.TaskProcessor) *consumer {
	if concurrency < 1 {
		concurrency = runtime.NumCPU() * 2
	}
	queue := processor.CustomQueue()
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	return &consumer{
		broker:    b,
		processor: processor,
		queue:     queue,
		wakeKey:   newWakeKey(queue),
		slots:     make(chan struct{}, concurrency),
	}
}

// run owns every goroutine of the consumer: it returns when all have ended.
func (c *consumer) run() {
	log.INFO.Printf("redisadapter: waiting for tasks on %s", c.queue)
	var helpers sync.WaitGroup
	defer helpers.Wait()

	popping, abandonPop := context.WithCancel(context.Background())
	defer abandonPop()
	helpers.Go(func() { c.wakeOnStop(popping, abandonPop) })
	helpers.Go(c.releaseDelayed)

	c.fetch(popping)
	abandonPop()
	c.running.Wait()
}

// fetch takes a message only when there is a slot to run it in, so that none waits here while another worker is idle.
func (c *consumer) fetch(popping context.Context) {
	trouble := outage{source: c.queue}
	for c.takeSlot() {
		message, ok := c.next(popping, &trouble)
		if !ok {
			c.freeSlot()
			continue
		}
		c.running.Go(func() {
			defer c.freeSlot()
			c.handle(message)
		})
	}
}

func (c *consumer) takeSlot() bool {
	if c.stopping.Err() != nil {
		return false
	}
	select {
	case <-c.stopping.Done():
		return false
	case c.slots <- struct{}{}:
		return true
	}
}

func (c *consumer) freeSlot() { <-c.slots }

// next waits for a message, for no longer than the poll period. Without one the caller is to ask again.
func (c *consumer) next(popping context.Context, trouble *outage) (string, bool) {
	if c.lap.takeRest() {
		c.rest(lapRest)
		return "", false
	}
	if !c.processor.PreConsumeHandler() {
		c.rest(pollPeriod(c.GetConfig()))
		return "", false
	}
	message, err := c.pop(popping)
	if err == nil || errors.Is(err, redis.Nil) {
		trouble.end()
		return message, err == nil
	}
	if c.stopping.Err() == nil {
		trouble.begin(err)
		c.rest(retryPause)
	}
	return "", false
}

// pop returns redis.Nil when the time is up or the consumer was woken.
func (c *consumer) pop(popping context.Context) (string, error) {
	wait := max(pollPeriod(c.GetConfig()), shortestPop)
	popped, err := c.client.BLPop(popping, wait, c.queue, c.wakeKey).Result()
	// A message that came together with an error has left the queue all the same.
	if len(popped) != 2 {
		return "", err
	}
	if popped[0] == c.wakeKey {
		return "", redis.Nil
	}
	return popped[1], nil
}

// handle runs one message. Whatever is wrong with it ends here: the next one is not to suffer.
func (c *consumer) handle(message string) {
	signature, err := decodeTask(message)
	if err != nil {
		log.ERROR.Printf("redisadapter: dropped a message of %d bytes from %s: not a task (%T)",
			len(message), c.queue, err)
		return
	}
	if !c.IsTaskRegistered(signature.Name) {
		c.turnAway(signature, message)
		return
	}
	c.lap.hit()
	// The error's text can quote arguments, so it stays out of the log.
	if err := c.processor.Process(signature); err != nil {
		log.ERROR.Printf("redisadapter: task %s (%s) was not processed to its end", signature.Name, signature.UUID)
	}
}
