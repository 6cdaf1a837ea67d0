package redisadapter

import (
	"context"
	"errors"

	"github.com/go-redis/redis/v8"
)

// largeMessage is from how many bytes on messages are taken and acknowledged outside of scripts, for which Redis copies
// them again and again: that costs more than a round trip of their own.
const largeMessage = 64 << 10

func isLarge(body string) bool { return len(body) >= largeMessage }

// takeLarge takes the next message of the queue by itself, because the one before it was large. A fetch that has
// acknowledged so many has found just before that the consumer may take it. It follows the order of the queue, so it is
// not for one with priorities.
func (f *fetcher) takeLarge(acks int) error {
	body, err := f.processing.takeOne(context.Background())
	switch {
	case errors.Is(err, redis.Nil):
		return f.begin(fetched{}, acks)
	case isFull(err):
		f.large = false // the script takes it still
		return nil
	case err != nil:
		return err
	}
	if back, err := f.putBackIfPaused(context.Background(), body); back || err != nil {
		return err
	}
	return f.begin(fetched{messages: []message{{body: body}}}, acks)
}

// takeOne takes the next message of the queue. The error is redis.Nil when there is none.
func (p *processing) takeOne(ctx context.Context) (string, error) {
	return p.client.LMove(ctx, p.keys.queue, p.key, "LEFT", "RIGHT").Result()
}

// ackOne acknowledges a message as ackAndFetch does, at less than half of what a script costs Redis.
func (p *processing) ackOne(ctx context.Context, body string) error {
	var counted, removed *redis.IntCmd
	_, err := p.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		counted = pipe.Exists(ctx, p.keys.deliveries)
		removed = pipe.LRem(ctx, p.key, 1, body)
		return nil
	})
	if err != nil {
		return err
	}
	p.done.add(1)
	if counted.Val() == 0 || removed.Val() == 0 {
		return nil
	}
	// To fail here would be to acknowledge it again. A count that stays is forgotten in time.
	p.client.ZRem(ctx, p.keys.deliveries, digestOf(body))
	return nil
}
