package redisadapter

import (
	"context"
	"errors"
	"sync"

	"github.com/go-redis/redis/v8"
)

// errNoNotifications is returned to those who want notifications from a backend without.
var errNoNotifications = errors.New("this backend was made with WithoutNotifications")

// endChannel is where a message is published when a task ends.
func endChannel(taskUUID string) string { return "machinery:end:" + taskUUID }

// NotifyEnd implements middleware.Notifier. All who wait share one connection to Redis, beside those of the client's
// pool; it closes when nobody waits any more. A hint also comes when the subscription begins, and begins anew after
// the connection was lost: the task may have ended before. It fails with ctx, and on a backend made with
// WithoutNotifications.
func (b *backend) NotifyEnd(ctx context.Context, uuids ...string) (<-chan struct{}, error) {
	if b.settings.invalid != nil {
		return nil, b.settings.invalid
	}
	if b.settings.withoutNotifications {
		return nil, errNoNotifications
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.notifier.await(ctx, uuids), nil
}

// notifier passes messages from Redis on to those who wait for them, over one connection while anybody waits.
type notifier struct {
	client redis.UniversalClient

	mu       sync.Mutex
	waiting  map[string]map[chan struct{}]bool // by name of the Redis channel; nil while there is no listener
	stale    map[string]bool                   // names whose subscription may have to begin or end
	listener *listener
}

// await enters a waiter, who leaves when ctx is done.
func (n *notifier) await(ctx context.Context, uuids []string) <-chan struct{} {
	hints := make(chan struct{}, 1)
	listener, begin := n.enter(hints, uuids)
	if begin {
		listener.follow()
	}
	context.AfterFunc(ctx, func() { n.leave(hints, uuids) })
	return hints
}

// enter reports whether subscriptions have to begin.
func (n *notifier) enter(hints chan struct{}, uuids []string) (_ *listener, begin bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting, n.stale = make(map[string]map[chan struct{}]bool), make(map[string]bool)
		n.listener = newListener(n)
		go n.listener.run()
	}
	for _, uuid := range uuids {
		name := endChannel(uuid)
		if n.waiting[name] == nil {
			n.waiting[name] = make(map[chan struct{}]bool)
			n.stale[name], begin = true, true
		} else {
			signal(hints) // the subscription may have begun, and the task may have ended since
		}
		n.waiting[name][hints] = true
	}
	return n.listener, begin
}

// leave leaves subscriptions to the listener, which ends many at once.
func (n *notifier) leave(hints chan struct{}, uuids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, uuid := range uuids {
		name := endChannel(uuid)
		delete(n.waiting[name], hints)
		if len(n.waiting[name]) == 0 {
			delete(n.waiting, name)
			n.stale[name] = true
		}
	}
	if len(n.stale) >= manyStale {
		signal(n.listener.changed)
	}
}

// takeStale returns the names whose subscriptions are to begin and to end, of which it has those followed that are in
// the map, and changes that. Those are left to another time that could end, unless all are wanted.
func (n *notifier) takeStale(followed map[string]bool, all bool) (begin, end []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all = all || len(n.stale) >= manyStale
	for name := range n.stale {
		switch awaited := n.waiting[name] != nil; {
		case awaited && !followed[name]:
			followed[name] = true
			begin = append(begin, name)
		case awaited:
			n.hint(name) // somebody else's subscription has not ended yet, and is as good as a new one
		case !all && followed[name]:
			continue
		case followed[name]:
			delete(followed, name)
			end = append(end, name)
		}
		delete(n.stale, name)
	}
	return begin, end
}

// beginAnew has all that is waited for subscribed to again.
func (n *notifier) beginAnew() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.waiting {
		n.stale[name] = true
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
		signal(hints)
	}
}

// end is true where nobody waits: the next one starts a listener of its own.
func (n *notifier) end() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) > 0 || len(n.stale) > 0 {
		return false
	}
	n.waiting = nil
	return true
}
