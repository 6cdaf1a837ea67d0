package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// newGuardedWorkplace is a worker that takes signed tasks, and whose messages the test delivers by hand.
func newGuardedWorkplace(t *testing.T, opts ...middleware.Option) *workplace {
	return newSigningWorkplace(t, append([]middleware.Option{signed}, opts...)...)
}

func newSigningWorkplace(t *testing.T, opts ...middleware.Option) *workplace {
	inner := &delivering{}
	return newWorkplaceOn(t, inner, inner, opts...)
}

// send publishes a task and returns it as a worker receives it.
func (w *workplace) send(t *testing.T, s *tasks.Signature) *tasks.Signature {
	_, err := w.m.SendTask(t.Context(), s)
	require.NoError(t, err)
	return w.take(t)
}

// take returns the task that was published last, as a worker receives it.
func (w *workplace) take(t *testing.T) *tasks.Signature {
	require.NotEmpty(t, w.broker.published)
	last := w.broker.published[len(w.broker.published)-1]
	w.broker.published = w.broker.published[:len(w.broker.published)-1]
	return received(t, last)
}

// result is that of a task that somebody sent.
func (w *workplace) result(uuid string) *result.AsyncResult {
	return result.NewAsyncResult(&tasks.Signature{UUID: uuid}, w.server.GetBackend())
}

func (w *workplace) registerRunning(t *testing.T, ran *int) {
	require.NoError(t, w.m.RegisterTask("wrapped", func(string) error { *ran++; return nil }))
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { *ran++; return nil }))
}

func TestATaskThatNobodySignedNeverRuns(t *testing.T) {
	t.Parallel()
	var ran int
	seen := &watcher{}
	w := newGuardedWorkplace(t, middleware.WithObserver(seen))
	w.registerRunning(t, &ran)
	for i, name := range []string{"wrapped", "plain"} {
		s := signatureOf(name, "s3cret")
		s.UUID = "task_" + uuid.NewString()
		s.OnError = []*tasks.Signature{signatureOf("plain", "x")}
		require.NoError(t, w.deliver(s))
		assert.Zero(t, ran)
		assert.Empty(t, w.broker.published, "nor does its error callback")
		require.Len(t, w.dead.tasks, i+1)
		assert.Equal(t, s, w.dead.tasks[i])
		assert.ErrorIs(t, w.dead.reasons[i], middleware.ErrUnsigned)
		_, err := middleware.Await[struct{}](t.Context(), w.m, w.result(s.UUID))
		var failed *middleware.TaskError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, fmt.Sprintf("task %q: not signed: let its sender have `middleware.SignTasks(mac)`", name), failed.Text)
	}
	assert.Len(t, seen.failed, 2)
	assert.ErrorIs(t, seen.failed[0].Err, middleware.ErrUnsigned)
}

func TestATaskThatWasChangedNeverRuns(t *testing.T) {
	t.Parallel()
	var ran int
	w := newSigningWorkplace(t, signedWith(middleware.AcceptUnsigned()))
	w.registerRunning(t, &ran)
	for _, name := range []string{"wrapped", "plain"} {
		s := w.send(t, signatureOf(name, "text"))
		s.Args[0].Value = "other"
		require.NoError(t, w.deliver(s))
		assert.Zero(t, ran)
		_, err := middleware.Await[struct{}](t.Context(), w.m, w.result(s.UUID))
		assert.ErrorContains(t, err, "signature is not right")
	}
	for _, reason := range w.dead.reasons {
		assert.ErrorIs(t, reason, middleware.ErrForged)
	}
	assert.Len(t, w.dead.reasons, 2)
}

func TestAcceptUnsignedLetsUnsignedTasksIn(t *testing.T) {
	t.Parallel()
	var ran int
	w := newSigningWorkplace(t, signedWith(middleware.AcceptUnsigned()))
	w.registerRunning(t, &ran)
	require.NoError(t, w.deliver(signatureOf("wrapped", "text")))
	require.NoError(t, w.deliver(signatureOf("plain", "text")))
	assert.Equal(t, 2, ran)
	assert.Empty(t, w.dead.reasons)
}

// A forger may know the UUID of another's task.
func TestARefusedTaskLeavesTheStateOfATaskThatWasBegun(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	var ran int
	w.registerRunning(t, &ran)
	forged := signatureOf("plain", "text")
	set := map[string]func(*tasks.Signature) error{
		tasks.StateReceived: w.backend.SetStateReceived,
		tasks.StateStarted:  w.backend.SetStateStarted,
		tasks.StateRetry:    w.backend.SetStateRetry,
		tasks.StateSuccess:  func(s *tasks.Signature) error { return w.backend.SetStateSuccess(s, nil) },
		tasks.StateFailure:  func(s *tasks.Signature) error { return w.backend.SetStateFailure(s, "genuine") },
	}
	for state, set := range set {
		require.NoError(t, set(forged))
		require.NoError(t, w.deliver(forged))
		after, err := w.backend.GetState(forged.UUID)
		require.NoError(t, err)
		assert.Equal(t, state, after.State)
		assert.NotContains(t, after.Error, "not signed")
	}
	assert.Len(t, w.dead.tasks, 5)
}

// failing is a backend that finds something else where a state should be.
type failing struct {
	backendsiface.Backend
	err    error
	failed bool
}

func (f *failing) GetState(string) (*tasks.TaskState, error) {
	return &tasks.TaskState{TaskUUID: "another"}, f.err
}

func (f *failing) SetStateFailure(*tasks.Signature, string) error {
	f.failed = true
	return nil
}

// A forger may give a task the name of anything in the result backend.
func TestARefusedTaskOverwritesNothingThatIsNoState(t *testing.T) {
	t.Parallel()
	someUUID := "task_" + uuid.NewString()
	for _, c := range []struct {
		uuid    string
		err     error
		failure bool
	}{
		{someUUID, nil, false}, // the state of another
		{someUUID, &json.SyntaxError{}, false},
		{someUUID, fmt.Errorf("state of task x: %w", &json.UnmarshalTypeError{Value: "number"}), false},
		{someUUID, io.EOF, false},
		{someUUID, errors.New("WRONGTYPE Operation against a key holding the wrong kind of value"), false},
		{someUUID, errors.New("redis: nil"), true},
		{"chord_" + uuid.NewString(), errors.New("redis: nil"), true},
		{uuid.NewString(), errors.New("redis: nil"), true},
		{"machinery_tasks", errors.New("redis: nil"), false}, // a queue that is empty
	} {
		backend := &failing{Backend: eagerbackend.New(), err: c.err}
		broker := &delivering{}
		server := newServer(broker)
		server.SetBackend(backend)
		m, err := middleware.Install(server, registry(), signed)
		require.NoError(t, err)
		_, err = server.GetBroker().StartConsuming("w", 1, m.NewWorker("w", 1))
		require.NoError(t, err)
		require.NoError(t, broker.processor.Process(&tasks.Signature{UUID: c.uuid, Name: "plain"}))
		assert.Equal(t, c.failure, backend.failed, "%s %T", c.uuid, c.err)
	}
}

func TestARefusedTaskIsNoResultOfItsGroup(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	groups := &groupWatch{Backend: eagerbackend.New()}
	w.backend.Backend = groups
	s := signatureOf("plain", "text")
	s.UUID, s.GroupUUID, s.GroupTaskCount = "task_"+uuid.NewString(), "group_1", 2
	require.NoError(t, w.deliver(s))
	assert.Equal(t, []string{""}, groups.failed)
	assert.Equal(t, "group_1", w.dead.tasks[0].GroupUUID)
}

// groupWatch notes the groups of tasks that fail.
type groupWatch struct {
	backendsiface.Backend
	failed []string
}

func (g *groupWatch) SetStateFailure(s *tasks.Signature, reason string) error {
	g.failed = append(g.failed, s.GroupUUID)
	return g.Backend.SetStateFailure(s, reason)
}

// Whatever a worker publishes, it signs.
func TestWorkersSignWhatTheyPublish(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t, middleware.RetryUnknown(time.Millisecond, 1))
	var ran []string
	note := func(name string) { ran = append(ran, name) }
	require.NoError(t, w.m.RegisterTask("flaky", func(s string) (order, error) {
		note("flaky")
		if len(ran) == 1 {
			return order{}, errors.New("again")
		}
		return order{ID: s}, nil
	}))
	require.NoError(t, w.m.RegisterTask("next", func(o order) (int64, error) { note("next " + o.ID); return 7, nil }))
	require.NoError(t, w.server.RegisterTask("plain", func(n int64) error { note(fmt.Sprint("plain ", n)); return errors.New("bad") }))
	require.NoError(t, w.m.RegisterTask("last", func(err error) error { note("last " + err.Error()); return nil }))
	chain := &tasks.Signature{Name: "flaky", RetryCount: 1, Args: []tasks.Arg{{Type: "string", Value: "o-1"}}, OnSuccess: []*tasks.Signature{
		{Name: "next", OnSuccess: []*tasks.Signature{{Name: "plain", OnError: []*tasks.Signature{{Name: "last"}}}}},
	}}
	require.NoError(t, w.deliver(w.send(t, chain)))
	for len(w.broker.published) > 0 {
		require.NoError(t, w.deliver(w.take(t)))
	}
	assert.Equal(t, []string{"flaky", "flaky", "next o-1", "plain 7", "last bad"}, ran)
	assert.Empty(t, w.dead.reasons)
}

func TestATaskThatIsPutBackIsSigned(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received = errors.New("down")
	require.NoError(t, w.deliver(w.send(t, signatureOf("t"))))
	back := w.take(t)
	assert.Equal(t, "1", back.Headers[middleware.AttemptsHeader])
	assert.NoError(t, w.m.Verify(back))
}

func TestATaskThatWaitsForItsTypeIsSigned(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t, middleware.RetryUnknown(time.Millisecond, 1))
	require.NoError(t, w.m.RegisterTask("t", func(any) error { return nil }))
	s := signatureOf("t", `{"$envelope":1,"type":"shop.Novelty","data":{}}`)
	require.NoError(t, w.m.Sign(s))
	require.NoError(t, w.deliver(received(t, s)))
	assert.NoError(t, w.m.Verify(w.take(t)))
	assert.Empty(t, w.dead.reasons)
}

// A dead letter that is sent again past the middleware runs if it was genuine.
func TestADeadLetterCanBeSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	fail := true
	require.NoError(t, w.m.RegisterTask("t", func(order) error { fail = false; return nil }))
	w.backend.received = errors.New("down")
	s := signatureOf("t")
	s.Args = []tasks.Arg{{Value: order{"o-1", 2.5}}}
	require.NoError(t, w.deliver(w.send(t, s)))
	for len(w.dead.tasks) == 0 {
		require.NoError(t, w.deliver(w.take(t)))
	}
	w.backend.received = nil
	dead := received(t, w.dead.tasks[0])
	middleware.ForgetAttempts(dead)
	require.NoError(t, w.deliver(dead))
	assert.False(t, fail)
}

func TestABackendThatWasSetAfterInstallIsRefused(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	w.server.SetBackend(eagerbackend.New())
	err := w.server.GetBroker().Publish(t.Context(), signatureOf("t"))
	assert.ErrorContains(t, err, "set it before")
	again, err := w.server.GetBroker().StartConsuming("w", 1, w.m.NewWorker("w", 1))
	assert.False(t, again)
	assert.ErrorContains(t, err, "set it before")
	assert.Empty(t, w.broker.published)
}

// Nothing of what is signed stays behind, whatever becomes of it.
func TestNothingIsKeptOfSignedTasks(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	var ran int
	w.registerRunning(t, &ran)
	s := signatureOf("plain", "text")
	s.GroupUUID, s.GroupTaskCount, s.ChordCallback = "group_1", 1, signatureOf("wrapped")
	require.NoError(t, w.deliver(w.send(t, s)))
	assert.Zero(t, w.m.Kept())
}

// Whatever a message says, it does not run, and nothing panics, unless it is what was sent.
func FuzzSignedTasks(f *testing.F) {
	broker := &delivering{}
	server := newServer(broker)
	m, err := middleware.Install(server, registry(), signed)
	require.NoError(f, err)
	ran := 0
	require.NoError(f, server.RegisterTask("t", func(...string) error { ran++; return nil }))
	_, err = server.GetBroker().StartConsuming("w", 1, m.NewWorker("w", 1))
	require.NoError(f, err)

	genuine := fullSignature(1)
	genuine.Args = genuine.Args[:1]
	eta := time.Date(2100, 1, 2, 3, 4, 5, 6, time.UTC) // the same in every process that fuzzes
	genuine.ETA, genuine.OnSuccess, genuine.OnError[0].ETA, genuine.ChordCallback.ETA = &eta, nil, nil, nil
	genuine.Headers[middleware.CreatedHeader] = eta.Format(time.RFC3339)
	require.NoError(f, server.GetBroker().Publish(f.Context(), genuine))
	text, err := json.Marshal(broker.published[0])
	require.NoError(f, err)
	want := middleware.CanonicalForm(received(f, broker.published[0]), time.Time{})
	f.Add(text)
	f.Add([]byte(`{"Name":"t","Headers":{"envelope-signature":"1 5 - AAAA"}}`))
	f.Add([]byte(`{"Name":"t","Args":[{"Value":{"a":[1,null,{}]}}],"OnSuccess":[null,{"OnError":[null]}],"Headers":{"envelope-signature":"1 x y "}}`))
	f.Add([]byte(`{"Name":"t","UUID":"a","uuid":"b","Headers":{"envelope-signature":["1"],"Envelope-Signature":"1"}}`))

	f.Fuzz(func(t *testing.T, message []byte) {
		s := new(tasks.Signature)
		decoder := json.NewDecoder(bytes.NewReader(message))
		decoder.UseNumber()
		if decoder.Decode(s) != nil || bytes.Equal(want, middleware.CanonicalForm(s, time.Time{})) {
			return
		}
		before := ran
		require.NoError(t, broker.processor.Process(s))
		assert.Equal(t, before, ran)
	})
}
