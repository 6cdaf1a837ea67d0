package redisadapter_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// lostReply loses the reply of one request: that which has the text, after so many others have had it.
type lostReply struct {
	text  string
	after int32
	found atomic.Int32
}

func (l *lostReply) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &losingConn{Conn: conn, reply: l}, nil
}

func (l *lostReply) isLost() bool { return l.found.Load() > l.after }

type losingConn struct {
	net.Conn
	reply  *lostReply
	losing bool
}

func (c *losingConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.reply.text)) && c.reply.found.Add(1) == c.reply.after+1 {
		c.losing = true
	}
	return c.Conn.Write(b)
}

// Read reads the reply that is to be lost, so that the request has been done, and fails as after a ReadTimeout.
func (c *losingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.losing {
		c.losing = false
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

func TestLetterComesOnceWhenAReplyIsLost(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(testing.TB) *redis.Options{"embedded": embeddedOptions, "real": realRedis} {
		for what, after := range map[string]int32{"adding": 0, "acknowledging": 1} {
			for who, retries := range map[string]int{"client": 3, "worker": -1} {
				t.Run(name+"/"+what+" is repeated by the "+who, func(t *testing.T) {
					t.Parallel()
					reply := &lostReply{text: rand.Text(), after: after}
					letterComesOnce(t, newSite(t, find(t)), reply, retries)
				})
			}
		}
	}
}

func embeddedOptions(t testing.TB) *redis.Options {
	return &redis.Options{Addr: miniredis.RunT(t).Addr()}
}

func letterComesOnce(t *testing.T, s *site, reply *lostReply, retries int) {
	t.Helper()
	options := *s.options
	options.Dialer, options.MaxRetries = reply.dial, retries
	client := redis.NewClient(&options)
	defer func() { require.NoError(t, client.Close()) }()
	letters := newLetters(s)
	broker := redisadapter.NewBroker(s.cnf, client,
		redisadapter.WithDeadLetters(redisadapter.NewDeadLetters(client, s.name+":letters")))
	broker.SetRegisteredTaskNames([]string{"add"})
	// Redis knows the scripts by the time a reply is lost.
	push(t, letters, task("add", "first"))
	require.NoError(t, s.client.RPush(t.Context(), s.cnf.DefaultQueue, reply.text).Err())
	publish(t, broker, task("add", "after"))
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	seen.AwaitInOrder(t, "after")
	broker.StopConsuming()
	<-ended

	require.True(t, reply.isLost())
	require.Equal(t, reply.text, string(awaitLetters(t, letters, 2)[1].Body))
	require.Zero(t, s.queued(t))
}

func TestEvictionsAreCountedWhenTheReplyIsLost(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	reply := &lostReply{text: rand.Text()}
	options := *s.options
	options.Dialer = reply.dial
	client := redis.NewClient(&options)
	defer func() { require.NoError(t, client.Close()) }()
	push(t, newLetters(s), task("add", "a"), task("add", "b"))
	letters := redisadapter.NewDeadLetters(client, s.name+":letters", redisadapter.WithMaxDeadLetters(1))
	push(t, letters, task("add", reply.text))
	require.True(t, reply.isLost())
	require.Equal(t, reply.text, awaitLetters(t, letters, 1)[0].UUID)
	require.EqualValues(t, 2, letters.Evicted())
}
