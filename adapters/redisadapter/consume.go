package redisadapter

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

// stopPatience bounds how long a stop waits for a Redis that does not answer.
const stopPatience = 5 * time.Second

// consumer is one worker's share of a broker, from StartConsuming to StopConsuming.
type consumer struct {
	*broker
	shift      *shift
	processor  brokersiface.TaskProcessor
	id         string
	keys       queueKeys
	processing string
	letters    *DeadLetters
	holdings   *holdings
	running    sync.WaitGroup
	lap        lap
	silence    silence
	sweepDue   atomic.Bool
	// lostReply is when a fetch last failed. Redis may go on with it for as long as it blocks.
	lostReply time.Time
}

func newConsumer(b *broker, s *shift, queue string, concurrency int, processor brokersiface.TaskProcessor) *consumer {
	if concurrency < 1 {
		concurrency = runtime.NumCPU() * 2
	}
	id, keys := rand.Text(), keysOf(queue)
	return &consumer{
		broker:     b,
		shift:      s,
		processor:  processor,
		id:         id,
		keys:       keys,
		processing: keys.processing(id),
		letters:    b.deadLetters(queue),
		holdings:   newHoldings(concurrency),
		silence:    silence{timeout: b.heartbeatTimeout},
	}
}

// run owns every goroutine of the consumer: it returns when all have ended.
func (c *consumer) run() {
	log.INFO.Printf("redisadapter: waiting for tasks on %s", c.keys.queue)
	var helpers sync.WaitGroup
	helpers.Go(c.releaseDelayed)
	idle, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.keep(idle)
	}()

	c.fetch()
	c.running.Wait()
	close(idle)
	<-ended
	helpers.Wait()
	c.leave()
}

// begin runs a message in a slot of its own, unless the worker is to stop: then it goes back when the consumer leaves.
func (c *consumer) begin(d delivery) {
	if c.shift.stopping.Err() != nil {
		return
	}
	c.holdings.take(d)
	c.running.Go(func() {
		// That is what becomes of it should its goroutine be ended.
		o := kept
		defer func() { c.holdings.finish(d, o) }()
		o = c.handle(d)
	})
}

// giveBack returns what a consumer still has, oldest first, to the head of the queue, and forgets the consumer, unless a
// request of its own may still be on its way to give it a message: others look after that then, and forget it later. It
// pushes first, because a script that fails keeps what it did so far.
var giveBack = redis.NewScript(`
local messages = redis.call('LRANGE', KEYS[1], 0, -1)
for i = #messages, 1, -1 do
	redis.call('LPUSH', KEYS[2], messages[i])
end
redis.call('DEL', KEYS[1])
if ARGV[2] == '0' then
	redis.call('ZREM', KEYS[3], ARGV[1])
end
return #messages
`)

// leave ends the consumer. Where Redis does not answer, others take over what it leaves behind when its heartbeat is
// missed.
func (c *consumer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if done := c.holdings.takeDone(); c.acknowledge(ctx, done) != nil {
		log.WARNING.Printf("redisadapter: stopped before redis took %d acknowledgements for %s: those tasks run again",
			len(done), c.keys.queue)
		return
	}
	underWay := 0
	if time.Since(c.lostReply) < 2*blockingWait {
		underWay = 1
	}
	err := giveBack.Run(ctx, c.client, []string{c.processing, c.keys.queue, c.keys.consumers}, c.id, underWay).Err()
	if err != nil {
		log.WARNING.Printf("redisadapter: stopped without leaving %s in order: %v", c.keys.queue, err)
	}
}
