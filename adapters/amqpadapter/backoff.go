package amqpadapter

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
)

// The pauses between two attempts to connect double from the first to the last.
const (
	firstReconnect = 50 * time.Millisecond
	lastReconnect  = 5 * time.Second
)

// doubled returns the pause before attempt n+1, counted from 0.
func doubled(first, last time.Duration, n int) time.Duration {
	return min(first<<min(max(n, 0), 20), last)
}

// spread returns a pause around d, by chance, so that what came together does not come together again.
func spread(d time.Duration) time.Duration {
	return d/2 + rand.N(d+1)
}

// pause waits, and tells whether ctx still lives afterwards.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// outage says once that RabbitMQ cannot be reached and once that it can again, however often it was tried between.
type outage struct {
	source string
	tries  int
}

// next notes a failure and returns how long to wait before the next try.
func (o *outage) next(err error) time.Duration {
	if o.tries == 0 {
		log.WARNING.Printf("amqpadapter: lost queue %s, trying again for as long as it takes: %v", o.source, err)
	}
	o.tries++
	return spread(doubled(firstReconnect, lastReconnect, o.tries-1))
}

func (o *outage) end() {
	if o.tries > 0 {
		log.INFO.Printf("amqpadapter: back on queue %s", o.source)
	}
	o.tries = 0
}
