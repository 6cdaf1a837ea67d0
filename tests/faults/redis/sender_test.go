package redis_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// senderVariable makes the test binary a sender on the Redis that it names. It dies while it sends.
	senderVariable = "FAULTS_SENDER_REDIS"
	// workflowVariable is what it sends: "group" or "chord".
	workflowVariable = "FAULTS_SENDER_WORKFLOW"

	// Members are sent in batches of a mebibyte at most: so many of them are one with this padding.
	sentBeforeDeath = 5
	padding         = 200 << 10
)

// deadSendersChord is a chord whose tasks have the same UUIDs in each process.
func deadSendersChord(ctx context.Context, m *middleware.Middleware) (*tasks.Chord, error) {
	var members []*tasks.Signature
	for i := range chordSize {
		member, err := m.Signature(ctx, stepTask, Step{Chain: i})
		if err != nil {
			return nil, err
		}
		member.UUID = fmt.Sprint("dead-senders-", i)
		member.Headers["padding"] = strings.Repeat(" ", padding)
		members = append(members, member)
	}
	group, err := tasks.NewGroup(members...)
	if err != nil {
		return nil, err
	}
	callback, err := m.Signature(ctx, joinTask)
	if err != nil {
		return nil, err
	}
	callback.UUID = "dead-senders-callback"
	return tasks.NewChord(group, callback)
}

// runSender is a process that is killed when it has sent the first batch of members, before it sends the next one.
func runSender(address string) error {
	client := redis.NewClient(&redis.Options{Addr: address})
	client.AddHook(&killBeforePush{left: 1})
	m, err := newMiddleware(client, client)
	if err != nil {
		return err
	}
	ctx := context.Background()
	chord, err := deadSendersChord(ctx, m)
	if err != nil {
		return err
	}
	if os.Getenv(workflowVariable) == "chord" {
		_, err = m.SendChord(ctx, chord, 1)
		return err
	}
	for _, member := range chord.Group.Tasks {
		member.ChordCallback = nil
	}
	_, err = m.SendGroup(ctx, chord.Group, 1)
	return err
}

// killBeforePush kills the process before it pushes one batch more.
type killBeforePush struct{ left int }

func (k *killBeforePush) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	k.note(cmd)
	return ctx, nil
}

func (k *killBeforePush) note(cmd redis.Cmder) {
	if cmd.Name() != "eval" || !strings.Contains(fmt.Sprint(cmd.Args()[1]), "RPUSH") {
		return
	}
	if k.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	k.left--
}

func (*killBeforePush) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (k *killBeforePush) BeforeProcessPipeline(ctx context.Context, cmds []redis.Cmder) (context.Context, error) {
	for _, cmd := range cmds {
		k.note(cmd)
	}
	return ctx, nil
}

func (*killBeforePush) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func TestChordWhoseSenderIsKilledFailsAndLeavesNothingBehind(t *testing.T) {
	r := newDeadSendersRun(t)
	r.requireNotSent("chord", func(chord *tasks.Chord, backend backendsiface.Backend) middleware.Result {
		return result.NewChordAsyncResult(chord.Group.Tasks, chord.Callback, backend)
	})
}

func TestMemberOfAGroupWhoseSenderIsKilledIsKnownNotToBeSentAndLeavesNothingBehind(t *testing.T) {
	r := newDeadSendersRun(t)
	r.requireNotSent("group", func(chord *tasks.Chord, backend backendsiface.Backend) middleware.Result {
		return result.NewAsyncResult(chord.Group.Tasks[chordSize-1], backend)
	})
}

func newDeadSendersRun(t *testing.T) *run {
	t.Helper()
	t.Setenv(expiryVariable, "1")
	t.Setenv(chordExpiryVariable, "10s")
	r := newRun(t, startServer(t))
	launchFleet(t, r.server, 2)
	return r
}

// requireNotSent has a sender die, and somebody wait for what it had not sent.
func (r *run) requireNotSent(workflow string, newResult func(*tasks.Chord, backendsiface.Backend) middleware.Result) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	chord, err := deadSendersChord(ctx, r.sender)
	require.NoError(r.t, err)
	res := newResult(chord, r.sender.NewWorker("", 1).GetServer().GetBackend())
	awaited := make(chan error, 1)
	go func() {
		_, err := middleware.Await[Step](ctx, r.sender, res)
		awaited <- err
	}()
	r.killSender(workflow)
	require.ErrorIs(r.t, <-awaited, middleware.ErrStateGone)
	r.awaitDone(sentBeforeDeath)
	r.requireEffects(sentBeforeDeath)
	r.requireNoStates()
}

// killSender returns when a sender has died, by its own hand.
func (r *run) killSender(workflow string) {
	r.t.Helper()
	executable, err := os.Executable()
	require.NoError(r.t, err)
	command := exec.Command(executable)
	command.Env = append(os.Environ(), senderVariable+"="+r.server.address, workflowVariable+"="+workflow)
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(r.t, err, &exit, "it said: %s", said)
	require.Equal(r.t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "it said: %s", said)
}

// requireNoStates waits until all states and groups have expired.
func (r *run) requireNoStates() {
	r.t.Helper()
	var left []string
	eventually(r.t, func() bool {
		left = nil
		for _, pattern := range []string{"dead-senders-*", "*group_*"} {
			keys, err := r.client.Keys(context.Background(), pattern).Result()
			if err != nil {
				return false
			}
			left = append(left, keys...)
		}
		return len(left) == 0
	}, func() string { return fmt.Sprint("these have not expired: ", left) })
}
