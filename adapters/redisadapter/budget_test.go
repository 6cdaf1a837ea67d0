package redisadapter_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// largeReply is more than a reply may have: 1 MiB and the message that goes beyond.
const largeReply = 1<<20 + 500_000

// largest is a hook that notes the size of the largest reply.
type largest struct {
	mu    sync.Mutex
	bytes int
}

func (l *largest) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (l *largest) AfterProcess(_ context.Context, cmd redis.Cmder) error {
	reply, ok := cmd.(*redis.Cmd)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = max(l.bytes, sizeOf(reply.Val()))
	return nil
}

func (l *largest) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (l *largest) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func (l *largest) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

func sizeOf(reply any) int {
	switch reply := reply.(type) {
	case string:
		return len(reply)
	case []any:
		sum := 0
		for _, part := range reply {
			sum += sizeOf(part)
		}
		return sum
	}
	return 0
}

func largeTask(uuid string, bytes int) *tasks.Signature {
	return task("add", uuid, tasks.Arg{Type: "string", Value: strings.Repeat("x", bytes)})
}

func TestRepliesAreBoundedInBytes(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const many, size = 24, 400_000
		var sent []string
		sender := newWorkingBroker(s)
		letters := newLetters(s)
		due := time.Now().Add(20 * time.Millisecond)
		for i := range many {
			signature := largeTask(fmt.Sprint(i), size)
			if i%3 == 0 {
				signature.ETA = &due
			}
			publish(t, sender, signature)
			push(t, letters, largeTask(fmt.Sprint(i), size))
			sent = append(sent, signature.UUID)
		}

		client := redis.NewClient(s.options)
		defer client.Close()
		var replies largest
		client.AddHook(&replies)
		var seen journal
		broker := redisadapter.NewBroker(s.cnf, client)
		broker.SetRegisteredTaskNames([]string{"add"})
		ended := work(t, broker, many, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() >= many })
		broker.StopConsuming()
		<-ended
		require.ElementsMatch(t, sent, seen.UUIDs())
		n := 0
		for _, err := range redisadapter.NewDeadLetters(client, s.name+":letters").All(t.Context()) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, many, n)
		require.Less(t, replies.size(), largeReply)
	})
}

// slowConn is a connection over which a server's replies come slowly.
type slowConn struct {
	net.Conn
	bytesPerSecond int
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 16<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.bytesPerSecond))
	return n, err
}

func TestLargeMessagesComeOverASlowLink(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const many, size = 20, 100_000
		sender := newWorkingBroker(s)
		var sent []string
		for i := range many {
			publish(t, sender, largeTask(fmt.Sprint(i), size))
			sent = append(sent, fmt.Sprint(i))
		}
		options := *s.options
		// One message comes in time, and a reply of maxReplyBytes does not.
		options.ReadTimeout = time.Second
		options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return slowConn{conn, 500_000}, err
		}
		client := redis.NewClient(&options)
		defer client.Close()
		var seen journal
		broker := redisadapter.NewBroker(s.cnf, client)
		broker.SetRegisteredTaskNames([]string{"add"})
		ended := work(t, broker, many, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() >= many })
		broker.StopConsuming()
		<-ended
		require.ElementsMatch(t, sent, seen.UUIDs(), "each runs once: nobody died")
	})
}
