package middleware_test

import (
	"errors"
	"testing"
	"testing/synctest"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// redelivering is a broker that may deliver tasks again by itself.
type redelivering struct {
	*delivering
	redelivers bool
}

func (r *redelivering) Redelivers() bool { return r.redelivers }

// decorated is a broker that somebody else has decorated.
type decorated struct{ brokersiface.Broker }

func (d decorated) Unwrap() brokersiface.Broker { return d.Broker }

// newRedeliveringWorkplace is a workplace whose broker is a Redeliverer.
func newRedeliveringWorkplace(t *testing.T, redelivers bool, opts ...middleware.Option) *workplace {
	inner := &delivering{}
	return newWorkplaceOn(t, inner, decorated{&redelivering{inner, redelivers}}, opts...)
}

func TestARedelivererGetsTheErrorOfWhatItMustDeliverAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breakWorker func(w *workplace, s *tasks.Signature)
		want        error
	}{
		"state not written": {func(w *workplace, _ *tasks.Signature) { w.backend.started = errors.New("down") }, nil},
		"panic":             {func(w *workplace, _ *tasks.Signature) { w.backend.Backend = nil }, middleware.ErrPanicked},
		"republish refused": {func(w *workplace, s *tasks.Signature) {
			s.Args[0].Value, s.RetryCount, w.broker.refuse = `{"$envelope":1,"type":"shop.New","data":{}}`, 1, errors.New("down")
		}, nil},
		"more often than the middleware would": {func(w *workplace, s *tasks.Signature) {
			w.backend.received = errors.New("down")
			s.Headers = tasks.Headers{middleware.AttemptsHeader: "99"}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRedeliveringWorkplace(t, true, middleware.RetryUnknown(0, 1))
			require.NoError(t, w.m.RegisterTask("t", func(...order) error { return nil }))
			s := signatureOf("t", orderOnWire)
			c.breakWorker(w, s)
			err := w.deliver(s)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			assert.Empty(t, w.broker.published, "it is the broker's to deliver again")
			assert.Empty(t, w.dead.tasks)
		})
	}
}

func TestARedelivererGetsNoErrorOfATaskThatHasEnded(t *testing.T) {
	t.Parallel()
	w := newRedeliveringWorkplace(t, true)
	require.NoError(t, w.m.RegisterTask("fails", func(order) error { return errors.New("no") }))
	require.NoError(t, w.deliver(signatureOf("fails", orderOnWire)))
	assert.Empty(t, w.dead.tasks)

	unreadable := signatureOf("fails", orderOnWire)
	unreadable.Args[0].Type = "nonsense"
	require.NoError(t, w.deliver(unreadable))
	require.Len(t, w.dead.tasks, 1)
	assert.ErrorIs(t, w.dead.reasons[0], middleware.ErrUnreadable)
	assert.Empty(t, w.broker.published)
}

func TestARedelivererThatDoesNotRedeliverIsTreatedAsMachinerysBrokers(t *testing.T) {
	t.Parallel()
	w := newRedeliveringWorkplace(t, false)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received = errors.New("down")
	require.NoError(t, w.deliver(signatureOf("t", orderOnWire)))
	assert.Len(t, w.broker.published, 1)
}

func TestAFailureWhoseStateCannotBeWrittenIsOneDeadLetter(t *testing.T) {
	t.Parallel()
	w := newRedeliveringWorkplace(t, true, middleware.WithDeadLetterFailures())
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return errors.New("no") }))
	w.backend.failure = errors.New("down")
	synctest.Test(t, func(t *testing.T) { require.NoError(t, w.deliver(signatureOf("t", orderOnWire))) })
	require.Len(t, w.dead.tasks, 1)
	require.ErrorIs(t, w.dead.reasons[0], middleware.ErrNotRecorded)
	w.backend.failure = nil
	require.NoError(t, w.deliver(signatureOf("t", orderOnWire)))
	assert.Len(t, w.dead.tasks, 2)
}

func TestAnAbandonedTaskFailsAndIsSeen(t *testing.T) {
	t.Parallel()
	seen, lines := &watcher{}, &logLines{}
	w := newRedeliveringWorkplace(t, true, middleware.WithObserver(seen), middleware.WithLogger(lines.logger()))
	s := signatureOf("t", "s3cret")
	s.RoutingKey = "orders"
	reason := errors.New("too many attempts")
	w.broker.processor.(middleware.Abandoner).Abandon(s, reason)
	state, err := w.backend.GetState(s.UUID)
	require.NoError(t, err)
	assert.True(t, state.IsFailure())
	assert.Equal(t, reason.Error(), state.Error)
	assert.Equal(t, []middleware.Observation{{Task: "t", Err: reason}}, seen.failed)
	assert.Equal(t, []string{`level=ERROR msg="envelope: a task is given up" task=t uuid=task_t queue=orders error=*errors.errorString`}, lines.all())
	assert.Empty(t, w.dead.tasks, "the broker keeps it")
}
