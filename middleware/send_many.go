package middleware

import (
	"context"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A ManyPublisher is a broker that sends many tasks faster than one by one. SendTasks, SendGroup and SendChord of a
// middleware that is installed over it send all at once by PublishMany, which returns the error of each task, nil for one
// that was sent. It is for those who write brokers.
type ManyPublisher interface {
	PublishMany(ctx context.Context, signatures []*tasks.Signature) []error
}

// A ManyPender is a result backend that notes many tasks as PENDING faster than one by one. The middleware calls
// SetStatesPending right before PublishMany of a ManyPublisher, in the place of SetStatePending of each task. It returns
// the error of each task: one that has an error is not published. It is for those who write backends.
type ManyPender interface {
	SetStatesPending(ctx context.Context, signatures []*tasks.Signature) []error
}

// publishesMany reports whether tasks that are gathered may be sent at once. The broker of the server must be the
// middleware's own, since one that decorates it may keep tasks back.
func publishesMany(m *Middleware) bool {
	_, many := m.broker.(ManyPublisher)
	return many && isDirect(m)
}

// isDirect reports whether the middleware is what Machinery publishes to.
func isDirect(m *Middleware) bool {
	_, direct := m.server.GetBroker().(interface{ middleware() *Middleware })
	return direct
}

// A batch is tasks that are sent together. While it is gathered, Machinery does with each of them what it does with a
// task that it sends, but the states that it writes and the tasks that it publishes are kept back.
type batch struct {
	m      *Middleware
	places map[*tasks.Signature]int
	tasks  []batchTask
}

// A batchTask is a task of a batch.
type batchTask struct {
	signature *tasks.Signature // that Machinery publishes
	packed    *tasks.Signature // nil where it cannot be sent
	ended     func(error)      // tells the observer; nil where the task was not published
	err       error
}

type batchKey struct{}

// gather begins a batch. It ends with send, or else with dissolve.
func gather(m *Middleware, signatures []*tasks.Signature) *batch {
	all := &batch{m: m, places: make(map[*tasks.Signature]int, len(signatures)), tasks: make([]batchTask, len(signatures))}
	for i, s := range signatures {
		all.places[s], all.tasks[i].signature = i, s
		m.gathered.Store(s, true)
	}
	return all
}

// with returns a context by which what is published goes to the batch.
func (all *batch) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, batchKey{}, all)
}

// dissolve has the states and tasks of the batch kept back no more.
func (all *batch) dissolve() {
	for _, t := range all.tasks {
		all.m.gathered.Delete(t.signature)
	}
}

// isGathered reports whether a task goes with a batch, which will write its state.
func isGathered(m *Middleware, s *tasks.Signature) bool {
	_, gathered := m.gathered.Load(s)
	return gathered
}

// batchTaskOf returns where a signature goes that is published, nil for one that is in no batch.
func batchTaskOf(ctx context.Context, s *tasks.Signature) *batchTask {
	all, _ := ctx.Value(batchKey{}).(*batch)
	if all == nil || !isGathered(all.m, s) {
		return nil
	}
	return &all.tasks[all.places[s]]
}

// send sends what was gathered, nothing where a part of it cannot be sent. The error is a *SendError.
func (all *batch) send(ctx context.Context) error {
	all.dissolve()
	signatures, errs := all.signatures(), make([]error, len(all.tasks))
	for i, t := range all.tasks {
		errs[i] = t.err
	}
	if err := sendError(signatures, errs); err != nil {
		err.(*SendError).Sent = 0
		all.giveUp(err)
		return err
	}
	errs = all.publish(ctx, signatures)
	for i, t := range all.tasks {
		afterPublish(t.signature, t.packed, errs[i])
		t.ended(errs[i])
	}
	return sendError(signatures, errs)
}

// giveUp ends a batch of which nothing is sent.
func (all *batch) giveUp(reason error) {
	for _, t := range all.tasks {
		switch {
		case t.ended == nil:
		case t.err != nil:
			t.ended(t.err)
		default:
			t.ended(reason)
		}
	}
}

func (all *batch) signatures() []*tasks.Signature {
	signatures := make([]*tasks.Signature, len(all.tasks))
	for i, t := range all.tasks {
		signatures[i] = t.signature
	}
	return signatures
}

func (all *batch) publish(ctx context.Context, signatures []*tasks.Signature) []error {
	publisher, ok := all.m.broker.(ManyPublisher)
	if !ok {
		return all.publishEach(ctx)
	}
	errs := setPending(ctx, all.m, signatures)
	var packed []*tasks.Signature
	var places []int
	for i, t := range all.tasks {
		if errs[i] == nil {
			packed, places = append(packed, t.packed), append(places, i)
		}
	}
	if len(packed) == 0 {
		return errs
	}
	for i, err := range publisher.PublishMany(ctx, packed) {
		errs[places[i]] = err
	}
	return errs
}

// publishEach sends tasks as Machinery does.
func (all *batch) publishEach(ctx context.Context) []error {
	errs := make([]error, len(all.tasks))
	for i, t := range all.tasks {
		if errs[i] = setOnePending(ctx, all.m, t.signature); errs[i] == nil {
			errs[i] = all.m.broker.Publish(withOriginal(ctx, t.signature), t.packed)
		}
	}
	return errs
}

func setPending(ctx context.Context, m *Middleware, signatures []*tasks.Signature) []error {
	if many, ok := undecorated(m.server.GetBackend()).(ManyPender); ok {
		return many.SetStatesPending(ctx, signatures)
	}
	errs := make([]error, len(signatures))
	for i, s := range signatures {
		errs[i] = setOnePending(ctx, m, s)
	}
	return errs
}

func setOnePending(ctx context.Context, m *Middleware, s *tasks.Signature) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.server.GetBackend().SetStatePending(s)
}
