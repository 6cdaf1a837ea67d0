package redisadapter

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// newsTimeout is for how long nothing may come from Redis before it is asked whether the connection lives.
const newsTimeout = 30 * time.Second

// newsPauses are those between attempts to listen.
var newsPauses = backoff.Policy{First: 10 * time.Millisecond, Last: 30 * time.Second}

// news tells the workers of a broker that a task was delayed whose ETA comes before those of all others. One goroutine
// listens to Redis while there are workers, on a connection beside those of the client's pool.
type news struct {
	client  redis.UniversalClient
	channel string
	// heard is set while whatever is published comes here.
	heard atomic.Bool

	mu      sync.Mutex
	workers map[chan struct{}]bool
	stop    context.CancelFunc
	ended   chan struct{} // closed when the goroutine has ended
}

// join enters a worker, whose channel gets a value when there may be news, until it calls leave.
func (n *news) join() (wake chan struct{}, leave func()) {
	wake = make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.workers == nil {
		n.workers = make(map[chan struct{}]bool)
	}
	n.workers[wake] = true
	if len(n.workers) == 1 {
		n.begin()
	}
	return wake, func() { n.leave(wake) }
}

// begin is called with mu locked.
func (n *news) begin() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	n.stop, n.ended = stop, ended
	go func() {
		defer close(ended)
		n.run(ctx)
	}()
}

// leave returns, for the last worker, when the goroutine has ended.
func (n *news) leave(wake chan struct{}) {
	n.mu.Lock()
	delete(n.workers, wake)
	if len(n.workers) > 0 {
		n.mu.Unlock()
		return
	}
	n.stop()
	n.heard.Store(false)
	ended := n.ended
	n.mu.Unlock()
	<-ended
}

// run listens until ctx ends. A worker looks for itself while nothing can be heard, so that errors need no answer.
func (n *news) run(ctx context.Context) {
	for failures := 1; ; failures++ {
		if n.listen(ctx) {
			failures = 1
		}
		if ctx.Err() != nil {
			return // others may have joined meanwhile, and have a goroutine of their own
		}
		if n.heard.Swap(false) {
			n.wake()
		}
		if !backoff.Sleep(ctx, newsPauses.Pause(failures)) {
			return
		}
	}
}

// listen passes on what comes until the connection fails, and reports whether anything came.
func (n *news) listen(ctx context.Context) (came bool) {
	subscription := n.client.Subscribe(ctx, n.channel)
	defer func() { _ = subscription.Close() }()
	return receive(ctx, subscription, newsTimeout, func(message any) {
		if _, answer := message.(*redis.Pong); answer {
			return
		}
		// The subscription itself is a message too: what was published before it was missed.
		n.heard.Store(true)
		n.wake()
	})
}

// receive passes on what comes, until the connection fails or ctx ends, and reports whether anything came. Where nothing
// comes for as long as silence, Redis is asked whether the connection lives.
func receive(ctx context.Context, subscription *redis.PubSub, silence time.Duration, pass func(message any)) (came bool) {
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })()
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(ctx, silence)
		if isTimeout(err) && !asked && subscription.Ping(ctx) == nil {
			asked = true
			continue
		}
		if err != nil {
			return came
		}
		came, asked = true, false
		pass(message)
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for worker := range n.workers {
		signal(worker)
	}
}
