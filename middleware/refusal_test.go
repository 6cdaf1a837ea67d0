package middleware_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Whoever awaits a task that is refused, or whose arguments do not fit, learns why by errors.Is.
func TestARefusalIsToldToWhoeverAwaits(t *testing.T) {
	t.Parallel()
	w := newSigningWorkplace(t, signedWith(middleware.WithMaxAge(time.Hour)))
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }, middleware.Params("order")))
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return nil }))
	unknown := `{"$envelope":1,"type":"shop.Nobody","data":{}}`
	broken := `{"$envelope":1,"type":"shop.Order","data":`
	for name, c := range map[string]struct {
		signature *tasks.Signature
		change    func(*tasks.Signature)
		want      []error
	}{
		"unsigned":        {signatureOf("t", orderOnWire), func(s *tasks.Signature) { s.Headers = nil }, []error{middleware.ErrUnsigned}},
		"forged":          {signatureOf("t", orderOnWire), func(s *tasks.Signature) { s.RetryCount = 7 }, []error{middleware.ErrForged}},
		"too many nested": {signatureOf("t", orderOnWire), nestTooMany, []error{envelope.ErrLimit}},
		"expired":         {signatureOf("t", orderOnWire), w.signLongAgo(t), []error{middleware.ErrExpired}},
		"no argument":     {signatureOf("t"), w.signNow(t), []error{middleware.ErrArguments}},
		"another name":    {&tasks.Signature{UUID: "task_t", Name: "t", Args: []tasks.Arg{{Name: "x", Type: "string", Value: orderOnWire}}}, w.signNow(t), []error{middleware.ErrArguments}},
		"a mismatch":      {signatureOf("t", `{"$envelope":1,"type":"int8","data":1}`), w.signNow(t), []error{envelope.ErrTypeMismatch}},
		"an unknown type": {signatureOf("t", unknown), w.signNow(t), []error{envelope.ErrUnknownType}},
		"malformed":       {signatureOf("t", broken), w.signNow(t), []error{envelope.ErrMalformed}},
		"unreadable":      {signatureOf("plain", "text"), func(s *tasks.Signature) { s.Args[0].Type = "what"; w.signNow(t)(s) }, []error{middleware.ErrUnreadable}},
	} {
		sent := w.send(t, c.signature)
		c.change(sent)
		require.NoError(t, w.deliver(sent), name)
		_, err := middleware.Await[struct{}](t.Context(), w.m, result.NewAsyncResult(c.signature, w.server.GetBackend()))
		var failed *middleware.TaskError
		require.ErrorAs(t, err, &failed, name)
		for _, want := range c.want {
			assert.ErrorIs(t, err, want, name)
		}
		assert.NotContains(t, failed.Text, "envelope-refused", name)
		reasons := w.dead.reasons
		assert.NotContains(t, reasons[len(reasons)-1].Error(), "envelope-refused", name)
	}
}

func nestTooMany(s *tasks.Signature) {
	s.OnSuccess = make([]*tasks.Signature, middleware.MaxNestedTasks+1)
	for i := range s.OnSuccess {
		s.OnSuccess[i] = &tasks.Signature{}
	}
}

// signNow signs a task whose arguments were replaced by what a publish would not have sent.
func (w *workplace) signNow(t *testing.T) func(*tasks.Signature) {
	return func(s *tasks.Signature) { require.NoError(t, w.m.Sign(s)) }
}

func (w *workplace) signLongAgo(t *testing.T) func(*tasks.Signature) {
	return func(s *tasks.Signature) { require.NoError(t, w.m.SignAt(s, time.Now().Add(-2*time.Hour))) }
}

// What a task says by itself is never taken for a refusal.
func TestATextThatLooksLikeARefusalStaysText(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	for _, text := range []string{
		"x\nenvelope-refused: forged", "\nenvelope-refused: ", "x\nenvelope-refused: forged unsigned",
		"Reflect task args error: x", "x\nenvelope-refused: forged\n" + `{"$envelope":1,"type":"any","data":null}`,
	} {
		require.NoError(t, m.RegisterTask("t", func() error { return errors.New(text) }))
		_, err := run[struct{}](t, server, m, "t")
		assert.EqualError(t, err, text)
		for _, reason := range []error{middleware.ErrForged, middleware.ErrUnsigned, middleware.ErrUnreadable} {
			assert.NotErrorIs(t, err, reason)
		}
	}
}

func TestAResultThatCannotBeSentIsToldToWhoeverAwaits(t *testing.T) {
	t.Parallel()
	server, m := newShop(t)
	require.NoError(t, m.RegisterTask("t", func() (any, error) { return make(chan int), nil }))
	_, err := run[struct{}](t, server, m, "t")
	assert.ErrorContains(t, err, "result 1")
	unregistered, unsupported := errors.Is(err, envelope.ErrUnregistered), errors.Is(err, envelope.ErrUnsupported)
	assert.True(t, unregistered || unsupported, "%v", err)
}

// The name of a task and when it was created are those that were signed, wherever its backend has them from.
func TestTheNameAndTimeOfAStateAreSigned(t *testing.T) {
	t.Parallel()
	before := time.Now()
	v := newVault(t)
	v.send(t, "own")
	read := func() *tasks.TaskState {
		state, err := v.server.GetBackend().GetState("task_own")
		require.NoError(t, err)
		return state
	}
	genuine := read()
	assert.Equal(t, "own", genuine.TaskName)
	assert.WithinRange(t, genuine.CreatedAt, before.Add(-time.Second), time.Now())
	kept := v.store.states["task_own"]
	kept.TaskName, kept.CreatedAt = "", time.Unix(1, 0)
	assert.Equal(t, genuine, read())
	kept.TaskName = "other"
	assert.True(t, read().IsFailure())
}

// A broker gives a task up that nobody has verified: the state of the task whose UUID it has stays.
func TestAForgedTaskThatIsGivenUpDoesNotFailAnother(t *testing.T) {
	t.Parallel()
	w := newGuardedWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	genuine := w.send(t, signatureOf("t", orderOnWire))
	require.NoError(t, w.deliver(genuine))
	forged := signatureOf("t", orderOnWire)
	w.broker.processor.(middleware.Abandoner).Abandon(forged, errors.New("tried too often"))
	_, err := middleware.Await[struct{}](t.Context(), w.m, result.NewAsyncResult(genuine, w.server.GetBackend()))
	assert.NoError(t, err)
}

// keeping is a broker that delivers tasks again, and keeps dead letters.
type keeping struct {
	delivering
	letterBox
}

func (k *keeping) Redelivers() bool                    { return true }
func (k *keeping) DeadLetters() middleware.DeadLetters { return &k.letterBox }

func TestABrokerKeepsTheMessagesOfTasksThatHaveEnded(t *testing.T) {
	t.Parallel()
	k := &keeping{}
	server, m := install(t, k, signed, middleware.WithDeadLetterFailures())
	require.NoError(t, m.RegisterTask("t", func(order) error { return errors.New("no") }))
	require.NoError(t, server.RegisterTask("plain", func() error { return nil }))
	_, err := server.GetBroker().StartConsuming("w", 1, m.NewWorker("w", 1))
	require.NoError(t, err)
	signedTask := func(s *tasks.Signature) *tasks.Signature {
		require.NoError(t, m.Sign(s))
		return s
	}
	for _, c := range []struct {
		s    *tasks.Signature
		want error
	}{
		{signatureOf("t", orderOnWire), middleware.ErrUnsigned},
		{signedTask(signatureOf("t", "text")), envelope.ErrTypeMismatch},
		{signedTask(signatureOf("t", orderOnWire)), nil},
		{signedTask(&tasks.Signature{Name: "plain", Args: []tasks.Arg{{Type: "what"}}}), middleware.ErrUnreadable},
	} {
		err := k.processor.Process(c.s)
		var deadLetter *middleware.DeadLetterError
		require.ErrorAs(t, err, &deadLetter)
		if c.want != nil {
			assert.ErrorIs(t, deadLetter.Reason, c.want)
		}
	}
	assert.Empty(t, k.tasks, "the broker has the messages")
}

func TestABrokerKeepsTheMessagesOfTasksThatEndedWithoutAResult(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pre  func(*tasks.Signature)
		post func(*tasks.Signature)
		text string
		want error
	}{
		"its end is not recorded":           {nil, nil, orderOnWire, middleware.ErrNotRecorded},
		"nor is it, and a handler panicked": {nil, func(*tasks.Signature) { panic("s3cret") }, orderOnWire, middleware.ErrNotRecorded},
		"a handler panicked":                {func(*tasks.Signature) { panic("s3cret") }, nil, orderOnWire, middleware.ErrPanicked},
		"a handler panicked over arguments": {func(s *tasks.Signature) { _ = middleware.Args(s)[0] }, nil, "no order", envelope.ErrTypeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &keeping{}
			w := &workplace{server: newServer(k), backend: &flaky{Backend: eagerbackend.New()}}
			w.server.SetBackend(w.backend)
			m, err := middleware.Install(w.server, registry())
			require.NoError(t, err)
			w.m = m
			synctest.Test(t, func(t *testing.T) {
				require.NoError(t, w.m.RegisterTask("t", func(order) (string, error) { return "", nil }))
				panicking(t, w, c.pre, c.post)
				w.backend.success = errors.New("object too large for cache")
				s := signatureOf("t", c.text)
				err := k.processor.Process(s)
				var deadLetter *middleware.DeadLetterError
				require.ErrorAs(t, err, &deadLetter)
				require.ErrorIs(t, deadLetter.Reason, c.want)
				require.ErrorIs(t, w.failure(t, s), c.want)
				assert.Empty(t, k.tasks, "the broker has the message")
			})
		})
	}
}

// A task on a broker that has its message no more is kept without what would make it many times as long.
func TestADeadLetterHasNoMoreThanTheNestedTasksThatMayBe(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	s := signatureOf("t", orderOnWire)
	nestTooMany(s)
	require.NoError(t, w.deliver(s))
	require.Len(t, w.dead.tasks, 1)
	assert.ErrorIs(t, w.dead.reasons[0], envelope.ErrLimit)
	assert.Empty(t, w.dead.tasks[0].OnSuccess)
	assert.Equal(t, s.Args, w.dead.tasks[0].Args)
	_, err := w.m.SendTask(t.Context(), s)
	assert.ErrorContains(t, err, envelope.ErrLimit.Error(), "nor can it be sent")
}

func TestTheSpecificationHasTheNamesOfAllReasons(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "envelope", "SPEC.md"))
	require.NoError(t, err)
	_, list, found := strings.Cut(string(text), "the names of the reasons with spaces between them:")
	require.True(t, found)
	list, _, found = strings.Cut(list, ".")
	require.True(t, found)
	var specified []string
	for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(list, -1) {
		specified = append(specified, name[1])
	}
	assert.Equal(t, middleware.RefusalNames(), specified)
}
