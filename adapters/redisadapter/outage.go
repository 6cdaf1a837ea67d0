package redisadapter

import (
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
)

const (
	// A broker leaves Redis alone after an error, for twice as long each time.
	firstTroublePause = 20 * time.Millisecond
	lastTroublePause  = time.Second
)

// outage says once that Redis fails and once that it works again, however many parts of a broker notice, and however
// often they try between.
type outage struct {
	mu      sync.Mutex
	failing map[string]bool
}

// note takes down how the latest attempt of a part ended.
func (o *outage) note(part string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.failing)
	if err == nil {
		delete(o.failing, part)
	} else {
		if o.failing == nil {
			o.failing = make(map[string]bool)
		}
		o.failing[part] = true
	}
	switch after := len(o.failing); {
	case before == 0 && after > 0:
		log.WARNING.Printf("redisadapter: cannot %s, trying again: %v", part, err)
	case before > 0 && after == 0:
		log.INFO.Print("redisadapter: redis works again")
	}
}

// backoff makes the pauses between attempts that fail.
type backoff struct{ failures int }

func (b *backoff) next() time.Duration {
	pause := min(firstTroublePause<<min(b.failures, 10), lastTroublePause)
	b.failures++
	return pause
}

func (b *backoff) reset() { b.failures = 0 }
