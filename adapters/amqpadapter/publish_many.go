package amqpadapter

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// maxBatch bounds the messages that are sent in one time of the publisher's timeout.
const maxBatch = 4096

// publishMany sends messages in their order, each before the one before it is confirmed, and returns the outcome of
// each. What fails is sent again alone, as publish does, and what is large is from the start, so that both may come
// behind the others. Where the time is up, those that were not begun are not sent: each batch would have to wait as
// long.
func (p *publisher) publishMany(ctx context.Context, messages []message) []error {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	errs := make([]error, 0, len(messages))
	for batch := range slices.Chunk(messages, maxBatch) {
		sent, late := p.publishBatch(ctx, batch)
		errs = append(errs, sent...)
		if late == nil {
			continue
		}
		for range len(messages) - len(errs) {
			errs = append(errs, late)
		}
		break
	}
	return errs
}

// publishBatch also returns why those behind the batch cannot be sent either: the time is up, or RabbitMQ does not let the
// user in. It is nil where they can.
func (p *publisher) publishBatch(ctx context.Context, messages []message) (errs []error, late error) {
	ctx, cancel := p.deadlines.bound(ctx)
	defer cancel()
	if _, err := p.connect(ctx); err != nil && ctx.Err() == nil && !timeMayCure(err) {
		return slices.Repeat([]error{err}, len(messages)), err
	}
	errs = p.sendBatch(ctx, messages)
	for i, err := range errs {
		switch {
		case err == nil:
			continue
		case ctx.Err() == nil:
			errs[i] = p.publishWhile(ctx, messages[i], timeMayCure)
		case timeMayCure(err) || isRefused(err) || errors.Is(err, context.Cause(ctx)):
			errs[i] = notConfirmed(ctx, p.conn.Load(), err)
		}
		if ctx.Err() != nil && errors.Is(errs[i], ErrNotConfirmed) {
			late = errs[i]
		}
	}
	return errs, late
}

// sendBatch tries each message once, or none where there is no connection.
func (p *publisher) sendBatch(ctx context.Context, messages []message) []error {
	errs := make([]error, len(messages))
	var awaiting sync.WaitGroup
	for i, m := range messages {
		if errs[i] = m.checkRoutingKey(); errs[i] != nil {
			continue
		}
		conn, err := p.connect(ctx)
		if err != nil {
			copy(errs[i:], slices.Repeat([]error{err}, len(messages)-i))
			break
		}
		if m.isLarge() {
			large := m // m itself would be allocated for all others too
			awaiting.Go(func() { errs[i] = conn.publish(ctx, large) })
			continue
		}
		channel, sent, err := conn.send(ctx, m)
		if err != nil {
			errs[i] = err
			continue
		}
		awaiting.Go(func() { errs[i] = channel.await(ctx, sent) })
	}
	awaiting.Wait()
	return errs
}
