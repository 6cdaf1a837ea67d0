package redisadapter

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// fetcher takes messages from the queue, in the one goroutine of its run, and has the runner begin them.
type fetcher struct {
	processing *processing
	inFlight   *inFlight
	slots      *share
	lifecycle  *lifecycle.Worker
	outage     *delivery.Outage
	heartbeat  *heartbeat
	runner     *runner
	unknown    *unknownTasks
	breaker    *breaker
	ready      func() bool
	waits      *blockingWaits
	longWait   time.Duration
	pollPeriod time.Duration
	news       *news
	budget     budget

	acknowledger *acknowledger

	// reconcileDue is set when there may be messages in the processing list that the consumer does not know.
	reconcileDue atomic.Bool
	// mustReconcile is set when it is likely that there are some.
	mustReconcile bool
	// idle is set while there is nothing to do but to wait: then a look for messages before each wait is saved. It ends
	// when a heartbeat has found isolated messages, and when tasks come faster than they are done.
	idle bool
	// emptyWaits counts the waits in a row in which nothing came.
	emptyWaits int
	// large is set while messages are: see takeLarge.
	large bool
	// isolatedWait is set when a heartbeat has found isolated messages.
	isolatedWait atomic.Bool
	// lostReply is when a fetch last failed. Redis may go on with it for as long as it blocks.
	lostReply time.Time
	// looked is when the last fetch was asked for that found the queue not paused.
	looked time.Time
	// resumed has a value when a queue may have been resumed.
	resumed <-chan struct{}
}

// run takes messages only when there are slots to run them in, so that none waits here while another worker is idle.
func (f *fetcher) run() {
	defer f.inFlight.leave()
	resumed, leaveNews := f.news.join()
	defer leaveNews()
	f.resumed = resumed
	failures := 0
	for !f.lifecycle.IsStopping() {
		if failures > 0 && !f.answers() {
			failures++
			f.pause(outagePauses.Pause(failures))
			continue
		}
		if f.slots.reserve(f.lifecycle.Stopping().Done()) == 0 {
			return
		}
		// Tasks that ended together free their slots one after the other: one fetch fills them all.
		runtime.Gosched()
		slots := f.slots.reserve(f.lifecycle.Stopping().Done())
		if slots == 0 {
			return
		}
		if !f.wants() {
			continue
		}
		slots, wait := f.breaker.admit(slots)
		if slots == 0 {
			f.pause(wait)
			continue
		}
		began := f.outage.Begin()
		err := f.fetch(slots)
		f.outage.Note(f.processing.work(), began, err)
		f.budget.note(err)
		if err == nil {
			failures = 0
			continue
		}
		// What was on its way may be in the processing list now.
		f.reconcileDue.Store(true)
		f.mustReconcile = true
		f.lostReply = time.Now()
		failures++
		f.pause(outagePauses.Pause(failures))
	}
}

// answers reports whether Redis does, without slots that other queues could fill meanwhile.
func (f *fetcher) answers() bool {
	f.leave()
	defer f.comeBack()
	_, err := f.processing.length(context.Background())
	return err == nil
}

// work names, for the log, the part of the broker that takes and acknowledges tasks.
func (p *processing) work() string { return "work on " + p.keys.queue }

// mayGetMore reports whether Redis may still give a message to the consumer, after run.
func (f *fetcher) mayGetMore() bool { return time.Since(f.lostReply) < 2*f.longWait }

// wants reports whether to fetch now; if not, it has waited for a while.
func (f *fetcher) wants() bool {
	if f.unknown.takePause() {
		f.pause(unknownPause)
		return false
	}
	f.inFlight.leave()
	willing := f.ready()
	f.inFlight.comeBack()
	if !willing {
		f.pause(f.pollPeriod)
	}
	return willing
}

func (f *fetcher) pause(d time.Duration) {
	f.leave()
	defer f.comeBack()
	f.lifecycle.Sleep(d)
}

// leave and comeBack enclose what keeps the fetcher from both acknowledging and taking messages.
func (f *fetcher) leave() {
	f.slots.leave()
	f.inFlight.leave()
}

func (f *fetcher) comeBack() {
	f.inFlight.comeBack()
	f.slots.comeBack()
}

// fetch begins messages in so many slots. When there are none it waits for one.
func (f *fetcher) fetch(slots int) error {
	if f.reconcileDue.Swap(false) {
		f.idle = false
		return f.reconcile(slots)
	}
	done := f.acknowledger.takeDone()
	acks, err := f.acknowledger.acknowledgeLarge(context.Background(), done)
	if err != nil {
		return err
	}
	if f.isolatedWait.Swap(false) {
		f.idle = false
	}
	if f.idle && len(done) == 0 {
		return f.waitForOne()
	}
	request := fetchRequest{acks: acks, slots: slots, maxBytes: f.budget.bytes()}
	if f.large {
		request.maxBytes = 0
	}
	if f.inFlight.mayTakeIsolated() {
		request.isolatedSlots = 1
	}
	asked := time.Now()
	got, err := f.processing.ackAndFetch(context.Background(), request)
	f.inFlight.acknowledged(request.acks, err)
	switch {
	case err != nil:
		return err
	case got.overdue:
		return f.heartbeat.register()
	case got.paused:
		f.waitForResume()
		return nil
	}
	f.looked = asked
	if f.large && len(got.messages) == 0 {
		return f.takeLarge(len(done))
	}
	return f.begin(got, len(done))
}

// begin begins what a fetch has got that has acknowledged so many messages too. When there is nothing it waits.
func (f *fetcher) begin(got fetched, acks int) error {
	if len(got.messages) == 0 && acks == 0 {
		return f.waitForOne()
	}
	f.emptyWaits = 0
	for _, m := range got.messages {
		f.start(m)
	}
	return nil
}

// start begins a message, after which others as large are expected.
func (f *fetcher) start(m message) {
	f.large = isLarge(m.body) && f.processing.levels == nil
	f.runner.begin(m)
}

// nextWait is how long Redis is to hold the next request.
func (f *fetcher) nextWait() time.Duration {
	if f.emptyWaits < shortWaits {
		return blockingWait
	}
	return f.longWait
}

// foundByHeartbeat notes what a heartbeat has found, of a consumer that had so many messages before.
func (f *fetcher) foundByHeartbeat(found waiting, had int, err error) {
	if err != nil || found.taken > had {
		f.reconcileDue.Store(true)
	}
	if found.isolated > 0 {
		f.isolatedWait.Store(true)
	}
}

// waitForOne returns without an error when the time is up.
func (f *fetcher) waitForOne() error {
	body, came, err := f.wait()
	if err != nil || !came {
		return err
	}
	if back, err := f.putBackIfPaused(context.Background(), body); back || err != nil {
		return err
	}
	if !f.slots.reserveOne() {
		// Other queues have filled all slots meanwhile.
		return f.processing.putBack(context.Background(), body)
	}
	f.idle = f.expectsNone()
	f.start(message{body: body})
	return f.processing.refill(context.Background())
}

// expectsNone reports whether no other message is likely to be there when one came that was waited for: it found the
// worker without a task. A look would delay this one, which would have to share Redis and the processor with it. It is
// not put off for longer than pauseNotice, so that a worker finds out all that a look tells.
func (f *fetcher) expectsNone() bool {
	return f.processing.levels == nil && !f.mayHavePaused() && f.runner.executing.idle()
}

// wait reports whether a message came before the time was up.
func (f *fetcher) wait() (body string, came bool, err error) {
	f.leave()
	defer f.comeBack()
	f.idle = false
	if !f.waits.begin() {
		f.lifecycle.Sleep(blockingWait)
		return "", false, nil
	}
	defer f.waits.end()
	wait, began := f.nextWait(), time.Now()
	body, err = f.processing.waitForOne(context.Background(), wait)
	switch {
	case errors.Is(err, redis.Nil):
		// After a wait that took longer others may have taken this worker for dead, which a wait does not find out.
		f.idle = time.Since(began) < 2*wait
		f.emptyWaits++
		return "", false, nil
	case isFull(err):
		// A full Redis refuses this command, whether or not a message waits. The script takes them still.
		f.lifecycle.Sleep(blockingWait)
		return "", false, nil
	case err == nil:
		f.emptyWaits = 0
	}
	return body, err == nil, err
}

// reconcile begins what is in the processing list without the consumer knowing: the reply that brought it was lost.
// What finds no slot, or would make the reply too long, is left to the next time.
func (f *fetcher) reconcile(slots int) error {
	ctx := context.Background()
	// Before it reads the list: what is acknowledged meanwhile is known still.
	known := f.inFlight.snapshot()
	length, err := f.processing.length(ctx)
	if err == nil && length <= copies(known) && !f.mustReconcile {
		return nil
	}
	var bodies []string
	var more bool
	if err == nil {
		bodies, more, err = f.processing.unknown(ctx, known, slots, f.budget.bytes())
	}
	if err != nil {
		f.reconcileDue.Store(true)
		return err
	}
	f.mustReconcile = more
	if more {
		f.reconcileDue.Store(true)
	}
	for _, body := range bodies {
		f.runner.begin(message{body: body})
	}
	return nil
}

func copies(known map[string]int) int {
	sum := 0
	for _, n := range known {
		sum += n
	}
	return sum
}
