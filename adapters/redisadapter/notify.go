package redisadapter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-redis/redis/v8"
)

// errSilent is returned to those who want notifications from a backend without.
var errSilent = errors.New("this backend was made with WithoutNotifications")

// endChannel is where a message is published when a task ends.
func endChannel(taskUUID string) string { return "machinery:end:" + taskUUID }

// NotifyEnd implements middleware.Notifier. All who wait share one connection to Redis, beside those of the client's
// pool; it closes when nobody waits any more. A hint also comes when the subscription begins, and begins anew after
// the connection was lost: the task may have ended before. It fails with ctx, and on a backend made with
// WithoutNotifications.
func (b *backend) NotifyEnd(ctx context.Context, uuids ...string) (<-chan struct{}, error) {
	if b.silent {
		return nil, errSilent
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.notifier.await(ctx, uuids), nil
}

// linger is how long the connection stays open for the next one who waits.
const linger = 200 * time.Millisecond

// notifier passes messages from Redis on to those who wait for them. One goroutine does so while anybody waits.
type notifier struct {
	client redis.UniversalClient

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool // by name of the Redis channel; nil while no goroutine runs
	stale   map[string]bool                   // names whose subscription may have to begin or end
	changed chan struct{}                     // has a value when there are stale names
}

// await enters a waiter, who leaves when ctx is done.
func (n *notifier) await(ctx context.Context, uuids []string) <-chan struct{} {
	hints := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting, n.stale = make(map[string]map[chan struct{}]bool), make(map[string]bool)
		n.changed = make(chan struct{}, 1)
		go n.run(n.changed)
	}
	for _, uuid := range uuids {
		name := endChannel(uuid)
		if n.waiting[name] == nil {
			n.waiting[name] = make(map[chan struct{}]bool)
			n.change(name)
		} else {
			hint(hints) // the subscription may have begun, and the task may have ended since
		}
		n.waiting[name][hints] = true
	}
	context.AfterFunc(ctx, func() { n.leave(hints, uuids) })
	return hints
}

func (n *notifier) leave(hints chan struct{}, uuids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, uuid := range uuids {
		name := endChannel(uuid)
		delete(n.waiting[name], hints)
		if len(n.waiting[name]) == 0 {
			delete(n.waiting, name)
			n.change(name)
		}
	}
}

// change is called with the lock held.
func (n *notifier) change(name string) {
	n.stale[name] = true
	hint(n.changed)
}

// hint leaves a value in a channel that has room for one.
func hint(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// run subscribes to what is waited for and passes messages on, until nobody has waited for a while.
func (n *notifier) run(changed <-chan struct{}) {
	ctx := context.Background()
	subscription := n.client.Subscribe(ctx)
	defer subscription.Close()
	messages := subscription.ChannelWithSubscriptions(ctx, 100)
	idle := time.NewTimer(linger)
	defer idle.Stop()
	followed := make(map[string]bool)
	for {
		select {
		case <-changed:
			n.follow(ctx, subscription, followed)
			idle.Reset(linger)
		case message, open := <-messages:
			if !open {
				messages = nil // the client was closed
			}
			n.pass(message)
		case <-idle.C:
			if n.end() {
				return
			}
			idle.Reset(linger)
		}
	}
}

// follow begins and ends subscriptions. Errors need no answer: the client subscribes anew when it has connected.
func (n *notifier) follow(ctx context.Context, subscription *redis.PubSub, followed map[string]bool) {
	var begin, end []string
	n.mu.Lock()
	for name := range n.stale {
		switch {
		case n.waiting[name] != nil && !followed[name]:
			followed[name] = true
			begin = append(begin, name)
		case n.waiting[name] == nil && followed[name]:
			delete(followed, name)
			end = append(end, name)
		case n.waiting[name] != nil:
			n.hint(name) // somebody else's subscription has not ended yet, and is as good as a new one
		}
	}
	clear(n.stale)
	n.mu.Unlock()
	if len(end) > 0 {
		_ = subscription.Unsubscribe(ctx, end...)
	}
	if len(begin) > 0 {
		_ = subscription.Subscribe(ctx, begin...)
	}
}

func (n *notifier) pass(message any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch message := message.(type) {
	case *redis.Message:
		n.hint(message.Channel)
	case *redis.Subscription:
		n.hint(message.Channel)
	}
}

// hint is called with the lock held.
func (n *notifier) hint(name string) {
	for hints := range n.waiting[name] {
		hint(hints)
	}
}

// end is true where nobody waits: the next one starts a goroutine of its own.
func (n *notifier) end() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) > 0 || len(n.stale) > 0 {
		return false
	}
	n.waiting = nil
	return true
}
