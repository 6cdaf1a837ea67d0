package adaptertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var processClauses = []clause{
	{"TaskWhoseProcessingFailedComesAgainUnaltered", taskWhoseProcessingFailedComesAgainUnaltered},
	{"PanicIsAnErrorOfItsTaskAlone", panicIsAnErrorOfItsTaskAlone},
	{"TaskThatItsSenderWantsKeptIsNotTriedAgain", taskThatItsSenderWantsKeptIsNotTriedAgain},
	{"UnreadableArgumentsAreNotTriedAgain", unreadableArgumentsAreNotTriedAgain},
	{"MessageThatIsNoTaskGoesToTheDeadLettersByteForByte", messageThatIsNoTaskGoesToTheDeadLetters},
	{"EachQueueHasDeadLettersUnlessToldOtherwise", eachQueueHasDeadLettersUnlessToldOtherwise},
	{"MiddlewareIsGivenTheDeadLettersOfTheBroker", middlewareIsGivenTheDeadLettersOfTheBroker},
}

// atOnce makes attempts follow each other at once.
var atOnce = &Backoff{First: time.Millisecond, Last: time.Millisecond}

func taskWhoseProcessingFailedComesAgainUnaltered(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce})
	var seen Journal
	var args [][]tasks.Arg
	p := Start(t, broker, func(s *tasks.Signature) error {
		_ = seen.Add(&tasks.Signature{UUID: s.UUID})
		if s.UUID != "a" {
			return nil
		}
		args = append(args, s.Args)
		s.Args, s.Name, s.UUID = nil, "other", "other" // Machinery and hooks change what they process
		if len(args) < 3 {
			return errors.New("backend is down")
		}
		return nil
	})
	Publish(t, broker, Task("add", "a", tasks.Arg{Type: "string", Value: "kept"}), Task("add", "b"))
	seen.Await(t, "a", "a", "a", "b")
	broker.StopConsuming()
	kept := []tasks.Arg{{Type: "string", Value: "kept"}}
	assert.Equal(t, [][]tasks.Arg{kept, kept, kept}, args)
	assert.Zero(t, f.Waiting(t, f.queue()))
	assert.Zero(t, count(t, f.DeadLetters(t)))
	assert.Zero(t, p.Abandoned.Len())
}

func panicIsAnErrorOfItsTaskAlone(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce, MaxAttempts: new(2)})
	var seen Journal
	p := Start(t, broker, func(s *tasks.Signature) error {
		_ = seen.Add(s)
		if s.UUID == "poison" {
			panic("secret")
		}
		return nil
	})
	Publish(t, broker, Task("add", "poison"), Task("add", "innocent"))
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	seen.Await(t, "poison", "innocent", "poison")
	assert.Equal(t, "poison", letter.UUID)
	assert.Contains(t, letter.Reason, f.ErrTooManyAttempts.Error())
	assert.Contains(t, letter.Reason, middleware.ErrPanicked.Error())
	assert.NotContains(t, letter.Reason, "secret")
	Eventually(t, func() bool { return p.Abandoned.Len() == 1 })
	assert.ErrorIs(t, p.Reasons()[0], middleware.ErrPanicked)
}

func taskThatItsSenderWantsKeptIsNotTriedAgain(t *testing.T, f *fixture) {
	f.isNotTriedAgain(t, errs.ErrStopTaskDeletion)
}

func unreadableArgumentsAreNotTriedAgain(t *testing.T, f *fixture) {
	letter := f.isNotTriedAgain(t, unreadable("x"))
	assert.Contains(t, letter.Reason, middleware.ErrUnreadable.Error())
}

// unreadable returns Machinery's error for an argument of such a type. Machinery gives it no type of its own.
func unreadable(argument string) error {
	return fmt.Errorf("%s: %s is not one of supported types", "Reflect task args error", argument)
}

// isNotTriedAgain processes a task with an error for which it goes to the dead letters at once.
func (f *fixture) isNotTriedAgain(t *testing.T, err error) deadletter.Letter {
	t.Helper()
	broker := f.broker(t, Options{Backoff: atOnce})
	var seen Journal
	Start(t, broker, func(s *tasks.Signature) error {
		_ = seen.Add(s)
		return err
	})
	Publish(t, broker, Task("add", "a"))
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	broker.StopConsuming()
	assert.Equal(t, []string{"a"}, seen.UUIDs())
	assert.Contains(t, letter.Reason, err.Error())
	assert.NotContains(t, letter.Reason, f.ErrTooManyAttempts.Error())
	assert.Equal(t, "a", letter.UUID)
	assert.Equal(t, f.queue(), letter.Queue)
	assert.Zero(t, f.Waiting(t, f.queue()))
	return letter
}

// noTasks are messages that no worker can make sense of.
var noTasks = []string{
	"", " ", "garbage", "null", "{}", "[]", "[1]", "4111", `"text"`, `{"Name":1}`, `{"Name":""}`, `{"UUID":"a"}`,
	`{"Name":"add"`, `{"Name":"add","ETA":"4111-1111"}`, `{"Name":"add","RetryCount":4111.1111}`,
	"\xff\xfe\x00\x01", strings.Repeat("[", 100_000),
}

func messageThatIsNoTaskGoesToTheDeadLetters(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	Start(t, broker, seen.Add)
	for _, body := range noTasks {
		f.Enqueue(t, f.queue(), []byte(body))
	}
	Publish(t, broker, Task("add", "a"))
	seen.Await(t, "a")
	var bodies []string
	for _, letter := range awaitLetters(t, f.DeadLetters(t), len(noTasks)) {
		bodies = append(bodies, string(letter.Body))
		assert.Contains(t, letter.Reason, deadletter.ErrNoTask.Error())
		assert.NotContains(t, letter.Reason, "4111")
		assert.Nil(t, letter.Task)
		assert.Empty(t, letter.UUID)
		assert.Equal(t, f.queue(), letter.Queue)
	}
	require.ElementsMatch(t, noTasks, bodies)
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func eachQueueHasDeadLettersUnlessToldOtherwise(t *testing.T, f *fixture) {
	own := f.OwnDeadLetters(t)
	for _, o := range []Options{{}, {DeadLetters: own}} {
		broker := f.broker(t, o)
		ended := Work(t, broker, 1, &Processor{Queue: f.custom()})
		Start(t, broker, nil)
		f.Enqueue(t, f.custom(), []byte("custom"))
		f.Enqueue(t, f.queue(), []byte("default"))
		awaitLetters(t, f.DeadLetters(t), 1)
		if o.DeadLetters != nil {
			// There may be two from the custom queue: the first worker may stop before it has buried its own.
			Eventually(t, func() bool { return len(origins(t, own)) == 2 })
		}
		broker.StopConsuming()
		Await(t, ended)
	}
	assert.Equal(t, 1, count(t, f.DeadLetters(t)))
	assert.Equal(t, "default", string(all(t, f.DeadLetters(t))[0].Body))
}

// origins are the queues that dead letters came from.
func origins(t *testing.T, store deadletter.Store) map[string]bool {
	t.Helper()
	queues := make(map[string]bool)
	for _, letter := range all(t, store) {
		queues[letter.Queue] = true
	}
	return queues
}

func middlewareIsGivenTheDeadLettersOfTheBroker(t *testing.T, f *fixture) {
	own := f.OwnDeadLetters(t)
	for store, o := range map[deadletter.Store]Options{f.DeadLetters(t): {}, own: {DeadLetters: own}} {
		broker := f.broker(t, o)
		assert.True(t, broker.(middleware.Redeliverer).Redelivers())
		given := broker.(middleware.DeadLetterBroker).DeadLetters()
		require.NoError(t, given.Push(t.Context(), Routed(f.custom(), "a"), errors.New("no good")))
		letters := all(t, store)
		require.Len(t, letters, 1)
		assert.Equal(t, "a", letters[0].UUID)
		assert.Equal(t, "no good", letters[0].Reason)
	}
}
