package middlewaretest

import "time"

// A clock stands still until it is put forward, or runs as fast as time.Now.
type clock struct {
	isBubble bool          // of testing/synctest: time.Now moves only when the test lets it
	runs     bool          // as it does in a bubble, and with launched workers
	stands   time.Time     // what it says while it stands still
	ahead    time.Duration // how far it is ahead of time.Now while it runs
}

func newClock() clock {
	now := time.Now()
	return clock{isBubble: isBubbleTime(now), runs: isBubbleTime(now), stands: now}
}

// isBubbleTime reports whether a clock that says so is that of a bubble of testing/synctest: those begin at midnight
// UTC of 2000-01-01.
func isBubbleTime(now time.Time) bool {
	year := now.UTC().Year()
	return year >= 2000 && year < 2020
}

// at returns what the clock says when time.Now says now.
func (c *clock) at(now time.Time) time.Time {
	if c.runs {
		return now.Add(c.ahead)
	}
	return c.stands
}

// start makes the clock run.
func (c *clock) start() {
	if !c.runs {
		c.runs, c.ahead = true, time.Until(c.stands)
	}
}

// advance puts the clock forward.
func (c *clock) advance(d time.Duration) {
	c.ahead += d
	c.stands = c.stands.Add(d)
}

// due returns when a task with an ETA is due that is published now.
func (c *clock) due(eta *time.Time) time.Time {
	now := time.Now()
	if eta == nil || eta.Before(now) {
		return c.at(now)
	}
	return c.at(now).Add(eta.Sub(now))
}
