package redisadapter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

const (
	// linger is how long the connection stays open, at most, for the next one who waits.
	linger = 200 * time.Millisecond
	// manyStale is from how many names on subscriptions end that nobody needs any more, before linger has passed.
	manyStale = 64
	// listenTimeout is for how long nothing may come from Redis before it is asked whether the connection lives.
	listenTimeout = 3 * time.Second
)

// listener has the connection of a notifier, until nobody has waited for a while.
type listener struct {
	notifier *notifier
	changed  chan struct{} // has a value when there are stale names that nobody sees to

	// live is set while Redis answers: then to write a subscription takes no time, and who waits does it. A goroutine
	// less that has to wake is a good part of what the end of a task takes to be known.
	live atomic.Bool

	mu           sync.Mutex // held while subscriptions begin and end
	subscription *redis.PubSub
	followed     map[string]bool // names that it has
}

func newListener(n *notifier) *listener {
	return &listener{notifier: n, changed: make(chan struct{}, 1)}
}

// run owns the goroutine that listens.
func (l *listener) run() {
	ctx, stop := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	listening.Go(func() { l.listen(ctx) })
	defer listening.Wait()
	defer stop()
	idle := time.NewTicker(linger)
	defer idle.Stop()
	for {
		select {
		case <-l.changed:
			l.change(false)
		case <-idle.C:
			if l.change(true); l.notifier.end() {
				return
			}
		}
	}
}

// listen connects again where the connection is lost, until ctx ends.
func (l *listener) listen(ctx context.Context) {
	for failures := 1; ; failures++ {
		if l.receiveAll(ctx) {
			failures = 1
		}
		if ctx.Err() != nil || !backoff.Sleep(ctx, newsPauses.Pause(failures)) {
			return
		}
	}
}

// receiveAll passes on what comes until the connection fails, and reports whether anything came.
func (l *listener) receiveAll(ctx context.Context) (came bool) {
	subscription := l.open(ctx)
	defer l.close()
	return receive(ctx, subscription, listenTimeout, func(message any) {
		l.live.Store(true)
		l.notifier.pass(message)
	})
}

func (l *listener) open(ctx context.Context) *redis.PubSub {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscription, l.followed = l.notifier.client.Subscribe(ctx), make(map[string]bool)
	l.notifier.beginAnew()
	signal(l.changed)
	return l.subscription
}

func (l *listener) close() {
	l.live.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.subscription.Close()
	l.subscription = nil
}

// follow begins subscriptions at once where that takes no time, and leaves them to the goroutine otherwise.
func (l *listener) follow() {
	if !l.live.Load() || !l.mu.TryLock() {
		signal(l.changed)
		return
	}
	defer l.mu.Unlock()
	l.changeLocked(false)
}

// change begins subscriptions, and ends those that nobody needs, if there are many or all are to end.
func (l *listener) change(all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changeLocked(all)
}

// changeLocked is called with mu locked. Errors need no answer: the listener connects anew.
func (l *listener) changeLocked(all bool) {
	if l.subscription == nil {
		l.notifier.takeStale(make(map[string]bool), all) // the next one begins with all that is waited for then
		return
	}
	begin, end := l.notifier.takeStale(l.followed, all)
	if len(end) > 0 {
		_ = l.subscription.Unsubscribe(context.Background(), end...)
	}
	if len(begin) > 0 {
		_ = l.subscription.Subscribe(context.Background(), begin...)
	}
}
