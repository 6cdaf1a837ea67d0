// Package backoff says how long to wait between attempts, for both adapters.
package backoff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Policy makes the pauses between attempts: the first after the first failure, twice as long after each further one,
// and never longer than the last.
type Policy struct {
	First, Last time.Duration
	// Jitter varies each pause by up to half of it, either way, at random, so that what failed together does not come
	// again together.
	Jitter bool
}

// Check returns an error for a policy that cannot be meant: a first pause that is not positive, or a last one that is
// shorter.
func (p Policy) Check() error {
	if p.First <= 0 {
		return fmt.Errorf("first pause is %v, it must be positive", p.First)
	}
	if p.Last < p.First {
		return errors.New("last pause is shorter than the first")
	}
	return nil
}

// Pause returns how long to wait after so many failures, of which there is at least one.
func (p Policy) Pause(failures int) time.Duration {
	pause := p.Last
	if doublings := max(failures, 1) - 1; doublings < 63 && p.First <= p.Last>>doublings {
		pause = p.First << doublings
	}
	if p.Jitter {
		return pause/2 + rand.N(pause+1)
	}
	return pause
}

// Sleep waits and reports whether ctx still lives afterwards.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
