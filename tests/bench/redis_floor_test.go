package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"
	"github.com/redis/rueidis"
)

const (
	// floorBatch is how many commands a client sends at once.
	floorBatch = 100
	// keepFloor is for how long results are kept.
	keepFloor = time.Minute
)

// floor is a list that numbers are pushed to and popped from, a batch at a time, and a key for each result: what any
// task queue on Redis does at least, with nothing that makes it safe.
type floor struct {
	client floorClient
	redis  *redis.Client // what is looked at beside the work
	list   string
	sent   int
}

// floorClient does each thing in one round trip.
type floorClient interface {
	push(ctx context.Context, list string, numbers []string) error
	pop(ctx context.Context, list string) (numbers []string, err error)
	keep(ctx context.Context, list string, numbers []string) error
}

func newFloor(b *testing.B) taskQueue {
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return floorOf(b, goRedisFloor{client})
}

func newRueidisFloor(b *testing.B) taskQueue {
	options := redisOptions(b)
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{options.Addr}, SelectDB: options.DB, Username: options.Username, Password: options.Password,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return floorOf(b, rueidisFloor{client})
}

func floorOf(b *testing.B, client floorClient) taskQueue {
	f := &floor{client: client, redis: redis.NewClient(redisOptions(b)), list: "bench-" + uuid.NewString()}
	b.Cleanup(func() {
		f.redis.Del(context.Background(), f.list)
		_ = f.redis.Close()
	})
	return f
}

func (f *floor) sendAll(b *testing.B, n, senders int) {
	f.sent = n
	share((n+floorBatch-1)/floorBatch, senders, func(i int) {
		if err := f.client.push(context.Background(), f.list, numbersFrom(i*floorBatch, n)); err != nil {
			b.Error(err)
		}
	})
}

// numbersFrom is a batch of those below n.
func numbersFrom(first, n int) []string {
	numbers := make([]string, min(floorBatch, n-first))
	for i := range numbers {
		numbers[i] = strconv.Itoa(first + i)
	}
	return numbers
}

func (f *floor) waiting(b *testing.B) int { return lengthOf(b, f.redis, f.list) }

func (f *floor) work(b *testing.B, concurrency int, done func()) {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for range concurrency {
		working.Go(func() {
			for ctx.Err() == nil {
				f.runBatch(ctx, b, done)
			}
		})
	}
	b.Cleanup(func() {
		stop()
		working.Wait()
	})
}

func (f *floor) runBatch(ctx context.Context, b *testing.B, done func()) {
	numbers, err := f.client.pop(ctx, f.list)
	if err == nil && len(numbers) > 0 {
		err = f.client.keep(ctx, f.list, numbers)
	}
	if err != nil && ctx.Err() == nil {
		b.Error(err)
	}
	for range numbers {
		done()
	}
}

func (f *floor) kept(b *testing.B) (found int) {
	for first := 0; first < f.sent; first += floorBatch {
		numbers := numbersFrom(first, f.sent)
		keys := make([]string, len(numbers))
		for i, number := range numbers {
			keys[i] = f.list + ":" + number
		}
		values, err := f.redis.MGet(context.Background(), keys...).Result()
		if err != nil {
			b.Fatal(err)
		}
		for i, value := range values {
			if value == numbers[i] {
				found++
			}
		}
	}
	return found
}

func (f *floor) serverCPU(b *testing.B) time.Duration { return redisCPU(b, f.redis) }

type goRedisFloor struct{ client *redis.Client }

func (f goRedisFloor) push(ctx context.Context, list string, numbers []string) error {
	_, err := f.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, number := range numbers {
			pipe.RPush(ctx, list, number)
		}
		return nil
	})
	return err
}

func (f goRedisFloor) pop(ctx context.Context, list string) ([]string, error) {
	numbers, err := f.client.LPopCount(ctx, list, floorBatch).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return numbers, err
}

func (f goRedisFloor) keep(ctx context.Context, list string, numbers []string) error {
	_, err := f.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, number := range numbers {
			pipe.Set(ctx, list+":"+number, number, keepFloor)
		}
		return nil
	})
	return err
}

type rueidisFloor struct{ client rueidis.Client }

func (f rueidisFloor) push(ctx context.Context, list string, numbers []string) error {
	return f.do(ctx, numbers, func(number string) rueidis.Completed {
		return f.client.B().Rpush().Key(list).Element(number).Build()
	})
}

func (f rueidisFloor) pop(ctx context.Context, list string) ([]string, error) {
	numbers, err := f.client.Do(ctx, f.client.B().Lpop().Key(list).Count(floorBatch).Build()).AsStrSlice()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return numbers, err
}

func (f rueidisFloor) keep(ctx context.Context, list string, numbers []string) error {
	return f.do(ctx, numbers, func(number string) rueidis.Completed {
		return f.client.B().Set().Key(list + ":" + number).Value(number).Ex(keepFloor).Build()
	})
}

// do sends a command for each number.
func (f rueidisFloor) do(ctx context.Context, numbers []string, command func(string) rueidis.Completed) error {
	commands := make(rueidis.Commands, len(numbers))
	for i, number := range numbers {
		commands[i] = command(number)
	}
	for _, result := range f.client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}
