package redisadapter

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// acknowledger acknowledges what is done while the fetcher is away: that does so itself with every fetch.
type acknowledger struct {
	processing *processing
	inFlight   *inFlight
	outage     *delivery.Outage
	// busy is held while run acknowledges.
	busy sync.Mutex
}

// run ends when the consumer is idle. What is not acknowledged by then is left to the consumer.
func (a *acknowledger) run(idle <-chan struct{}) {
	failures := 0
	var again <-chan time.Time
	for {
		select {
		case <-idle:
			return
		case <-a.inFlight.ackDue:
		case <-again:
		}
		again = nil
		switch some, err := a.acknowledgeWhileAway(); {
		case err != nil:
			failures++
			again = time.After(outagePauses.Pause(failures))
		case some:
			failures = 0
		}
	}
}

// acknowledgeWhileAway reports whether there was anything to acknowledge: else it says nothing about Redis.
func (a *acknowledger) acknowledgeWhileAway() (some bool, err error) {
	a.busy.Lock()
	defer a.busy.Unlock()
	bodies := a.inFlight.takeDoneWhileAway()
	if len(bodies) == 0 {
		return false, nil
	}
	began := a.outage.Begin()
	err = a.acknowledge(context.Background(), bodies)
	a.outage.Note(a.processing.work(), began, err)
	return true, err
}

// takeDone is that of inFlight, for the fetcher, when nothing else is being acknowledged any more. A message that is fetched
// before another that is equal to it is acknowledged, such as that of a dead letter, shares what is counted of it.
func (a *acknowledger) takeDone() []string {
	a.busy.Lock()
	defer a.busy.Unlock()
	return a.inFlight.takeDone()
}

// acknowledge acknowledges messages that inFlight has handed over, and notes how that ended.
func (a *acknowledger) acknowledge(ctx context.Context, bodies []string) error {
	rest, err := a.acknowledgeLarge(ctx, bodies)
	if err != nil {
		return err
	}
	err = a.processing.ack(ctx, rest)
	a.inFlight.acknowledged(rest, err)
	return err
}

// acknowledgeLarge does so with the large ones, and returns the others. It notes each by itself, so that none is
// acknowledged again because another fails: that could remove a copy of it.
func (a *acknowledger) acknowledgeLarge(ctx context.Context, bodies []string) (rest []string, err error) {
	if !slices.ContainsFunc(bodies, isLarge) {
		return bodies, nil
	}
	for i, body := range bodies {
		if !isLarge(body) {
			rest = append(rest, body)
			continue
		}
		if err := a.processing.ackOne(ctx, body); err != nil {
			a.inFlight.acknowledged(append(rest, bodies[i:]...), err)
			return nil, err
		}
		a.inFlight.acknowledged([]string{body}, nil)
	}
	return rest, nil
}
