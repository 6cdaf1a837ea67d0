package redisadapter

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// wakePatience bounds how long a stop waits for a Redis that does not answer.
	wakePatience = 5 * time.Second
	// wakeExpiry removes a wake-up call that came when nobody was waiting.
	wakeExpiry = time.Minute
)

// newWakeKey names the list on which a consumer waits besides its queue.
func newWakeKey(queue string) string {
	return beside(queue, ":wake:"+rand.Text())
}

// beside names a key in the queue's slot of a Redis Cluster, where one command may use both.
func beside(queue, suffix string) string {
	_, afterBrace, _ := strings.Cut(queue, "{")
	if strings.Index(afterBrace, "}") > 0 {
		return queue + suffix
	}
	return "{" + queue + "}" + suffix
}

// wakeOnStop ends the pop in flight when the broker stops. Cutting its connection would lose a message that is
// already on its way, so it sends the pop something to return with, and cuts only where Redis stays silent.
func (c *consumer) wakeOnStop(popping context.Context, abandonPop context.CancelFunc) {
	<-c.stopping.Done()
	patience, cancel := context.WithTimeout(popping, wakePatience)
	defer cancel()
	defer abandonPop()

	_, err := c.client.TxPipelined(patience, func(tx redis.Pipeliner) error {
		tx.RPush(patience, c.wakeKey, "stop")
		tx.Expire(patience, c.wakeKey, wakeExpiry)
		return nil
	})
	if err != nil {
		return
	}
	<-patience.Done()
}
