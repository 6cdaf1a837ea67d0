package redisadapter

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// beat notes until when the consumer is to be heard of again. It answers with the milliseconds since it was heard of
// (-1 when it was not known), how many messages it has and how many are isolated, and which consumers are overdue. It
// keeps the consumer's report, and counts what it has done.
var beat = redis.NewScript(clock + whenFull + countDone + `
local consumers, processing, isolated, deferred, report, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local consumer, timeout = ARGV[1], tonumber(ARGV[2])
local due = redis.call('ZSCORE', consumers, consumer)
-- A clock that was set back has all that was to come until then come later.
local back = due and due - now - timeout or 0
if back > 0 then
	for _, key in ipairs({consumers, deferred}) do
		local late = redis.call('ZRANGEBYSCORE', key, string.format('(%.0f', now + back / 2), '+inf')
		for _, member in ipairs(late) do
			redis.call('ZINCRBY', key, -back, member)
		end
	end
end
redis.call('ZADD', consumers, string.format('%.0f', now + timeout), consumer)
countDone(done, report, ARGV[5], ARGV[6])
redis.call('SET', report, ARGV[3], 'PX', ARGV[4])
local reply = redis.call('ZRANGEBYSCORE', consumers, '-inf', string.format('(%.0f', now))
table.insert(reply, 1, due and math.max(now + timeout - due, 0) or -1)
table.insert(reply, 2, tostring(redis.call('LLEN', processing)))
table.insert(reply, 3, tostring(redis.call('LLEN', isolated)))
return reply
`)

// heartbeat says that a consumer lives, and has the tasks of those reclaimed that do not.
type heartbeat struct {
	processing *processing
	reclaimer  *reclaimer
	reporter   *reporter
	liveness   liveness
	outage     *delivery.Outage
	logger     *slog.Logger // has the queue
}

// waiting says how many messages Redis has for a consumer: taken by it, and isolated ones, which are for any.
type waiting struct{ taken, isolated int }

// beaten is what a heartbeat has found.
type beaten struct {
	overdue []string // other consumers
	waiting waiting
}

// run beats until the consumer is idle. Each time it asks before how many messages the consumer has, and tells after
// how many Redis has found.
func (h *heartbeat) run(idle <-chan struct{}, f *fetcher) {
	beats := time.NewTicker(h.liveness.timeout / beatsPerTimeout)
	defer beats.Stop()
	for {
		select {
		case <-idle:
			return
		case <-beats.C:
			had := copies(f.inFlight.snapshot())
			began := h.outage.Begin()
			found, err := h.beatAndReclaim()
			h.outage.Note("keep the heartbeat on "+h.processing.keys.queue, began, err)
			f.foundByHeartbeat(found, had, err)
		}
	}
}

// register makes the consumer known, for the first time or anew.
func (h *heartbeat) register() error {
	_, err := h.beat()
	return err
}

func (h *heartbeat) beat() (beaten, error) {
	now := time.Now()
	p := h.processing
	total, counted := p.done.get()
	report, expiry := h.reporter.report(total)
	keys := []string{p.keys.consumers, p.key, p.keys.isolated, p.keys.deferred, p.keys.report(p.consumer), p.keys.done}
	reply := beat.Run(context.Background(), p.client, keys, p.consumer, h.liveness.timeout.Milliseconds(),
		report, expiry.Milliseconds(), total, counted)
	since, found, err := numbered(reply)
	if err != nil {
		return beaten{}, err
	}
	p.done.noteCounted(total)
	taken, errTaken := strconv.Atoi(found[0])
	isolated, errIsolated := strconv.Atoi(found[1])
	if err := errors.Join(errTaken, errIsolated); err != nil {
		return beaten{}, err
	}
	if h.liveness.beat(now, time.Duration(since)*time.Millisecond) {
		h.logger.Warn("this worker missed its heartbeats, its tasks may run elsewhere too")
	}
	return beaten{overdue: found[2:], waiting: waiting{taken, isolated}}, nil
}

// beatAndReclaim reclaims the tasks of consumers that are overdue while this one was not: had Redis been out of reach
// of both, they would not be dead.
func (h *heartbeat) beatAndReclaim() (waiting, error) {
	found, err := h.beat()
	if err != nil || !h.liveness.steady() {
		return found.waiting, err
	}
	for _, other := range found.overdue {
		if err := h.reclaimer.reclaim(other); err != nil {
			return found.waiting, err
		}
	}
	return found.waiting, nil
}
