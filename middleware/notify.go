package middleware

import "context"

// A Notifier is a result backend that can tell when tasks end, so that Await wakes at once instead of at its next
// poll. Its states can be read as often as one likes: Await looks beside whether those of a group's members are kept,
// for ErrStateGone. Package redisadapter's is one.
type Notifier interface {
	// NotifyEnd returns a channel on which a value can be received soon after one of the tasks has reached SUCCESS or
	// FAILURE, until ctx is done. It is a hint: Await goes on polling at a slower pace, so a lost notification, or one
	// too many, does no harm. The channel is never closed. An error means that there will be no notifications.
	NotifyEnd(ctx context.Context, uuids ...string) (<-chan struct{}, error)
}
