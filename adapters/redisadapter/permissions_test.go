package redisadapter_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// documentedRights are those of the ACL line in the documentation of the package, for the queues and delayed tasks
// whose names match the patterns.
func documentedRights(t *testing.T, queues, delayed string) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, line, found := strings.Cut(string(text), "//	ACL SETUSER machinery on >password ")
	require.True(t, found)
	line, _, found = strings.Cut(line, "//\n")
	require.True(t, found)
	var rights []string
	for _, right := range strings.Fields(strings.ReplaceAll(line, "//", "")) {
		right = strings.ReplaceAll(right, "delayed_tasks", delayed)
		rights = append(rights, strings.ReplaceAll(right, "machinery_tasks", queues))
	}
	return rights
}

// addUser makes a user with these rights on the real Redis, and returns how to connect as that user.
func addUser(t *testing.T, rights []string) *redis.Options {
	t.Helper()
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	admin := redis.NewClient(options)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	user := "test-" + rand.Text()
	command := []any{"acl", "setuser", user, "on", ">password"}
	for _, right := range rights {
		command = append(command, right)
	}
	require.NoError(t, admin.Do(t.Context(), command...).Err())
	t.Cleanup(func() { admin.Do(context.Background(), "acl", "deluser", user) })
	restricted := *options
	restricted.Username, restricted.Password = user, "password"
	return &restricted
}

// leastPermissions connects brokers as a user with the documented rights, and tests past the network as the admin.
func leastPermissions(t *testing.T) func(dialer) redis.UniversalClient {
	admin, options := onlyRedis(t), addUser(t, documentedRights(t, "test-*", "test-*:delayed"))
	return func(d dialer) redis.UniversalClient {
		if d == nil {
			return admin(nil)
		}
		restricted := *options
		restricted.Dialer = d
		return redis.NewClient(&restricted)
	}
}

// refusals is a hook that notes whether Redis has refused something for want of a right, and whether a worker has
// waited.
type refusals struct{ any, waited atomic.Bool }

// refusal matches what Redis says to a command, and to one in a script up to 7.0 and later.
var refusal = regexp.MustCompile("NOPERM|user executing the script can't|ACL failure in script")

func (r *refusals) note(cmds ...redis.Cmder) {
	for _, cmd := range cmds {
		if cmd.Name() == "blmove" {
			r.waited.Store(true)
		}
		if err := cmd.Err(); err != nil && refusal.MatchString(err.Error()) {
			r.any.Store(true)
		}
	}
}

func (r *refusals) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (r *refusals) AfterProcess(_ context.Context, cmd redis.Cmder) error { r.note(cmd); return nil }

func (r *refusals) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (r *refusals) AfterProcessPipeline(_ context.Context, cmds []redis.Cmder) error {
	r.note(cmds...)
	return nil
}

// These match the names of a site.
const (
	queuesOfTests  = "test-*:tasks*"
	delayedOfTests = "test-*:delayed"
)

// features are all that the package does, by a user.
type features struct {
	*site    // the admin's
	user     *redis.Client
	patience time.Duration
	refusals *refusals
	log      *adaptertest.Log
}

func newFeatures(t *testing.T, rights []string, patience time.Duration) *features {
	options := addUser(t, rights)
	s := newSite(t, realRedis(t))
	f := &features{site: s, user: redis.NewClient(options), patience: patience, refusals: new(refusals), log: &adaptertest.Log{}}
	t.Cleanup(func() { _ = f.user.Close() })
	f.user.AddHook(f.refusals)
	return f
}

// use uses all features, and ends as soon as something was refused. Errors are noted by the hook.
func (f *features) use(t *testing.T) (refused bool) {
	for _, step := range []func(*testing.T){f.useBackend, f.useStoreAndLock, f.useDeadLetters, f.useSource, f.useBroker} {
		if step(t); f.refusals.any.Load() {
			return true
		}
	}
	return false
}

func (f *features) useBackend(t *testing.T) {
	backend := redisadapter.NewBackend(f.cnf, f.user, redisadapter.WithRetryTimeout(0), redisadapter.WithCallbackTimeout(0))
	group, one, two := "group_"+rand.Text(), "task_"+rand.Text(), "task_"+rand.Text()
	callback := &tasks.Signature{Name: "add", UUID: "chord_" + rand.Text()}
	f.awaitEnd(t, backend, one)
	_ = backend.InitGroup(group, []string{one, two})
	_ = backend.SetStatePending(callback)
	for _, uuid := range []string{one, two} {
		member := &tasks.Signature{Name: "add", UUID: uuid, GroupUUID: group, GroupTaskCount: 2, ChordCallback: callback}
		_ = errors.Join(backend.SetStatePending(member), backend.SetStateReceived(member), backend.SetStateStarted(member),
			backend.SetStateRetry(member), backend.SetStateSuccess(member, nil), backend.SetStateSuccess(member, nil))
	}
	_, _ = backend.GroupCompleted(group, 2)
	_, _ = backend.GroupTaskStates(group, 2)
	_, _ = backend.TriggerChord(group)
	_, _ = backend.GetState(one)
	_ = errors.Join(backend.PurgeState(one), backend.PurgeState(two), backend.PurgeState(callback.UUID), backend.PurgeGroupMeta(group))
	f.client.Del(t.Context(), "{"+group+"}:ended")
}

// awaitEnd listens for a task, and no longer. The connection has no hook: it waits for what Redis has noted.
func (f *features) awaitEnd(t *testing.T, backend backendsiface.Backend, uuid string) {
	channel := "machinery:end:" + uuid
	listeners := func() int64 { return f.client.PubSubNumSub(t.Context(), channel).Val()[channel] }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := backend.(middleware.Notifier).NotifyEnd(ctx, uuid); err != nil {
		f.refusals.any.Store(true)
		return
	}
	f.mustHappen(func() bool { return listeners() == 1 })
	cancel()
	f.mustHappen(func() bool { return listeners() == 0 })
}

// mustHappen notes a refusal where something does not happen that otherwise does at once.
func (f *features) mustHappen(condition func() bool) {
	for giveUp := time.Now().Add(f.patience); time.Now().Before(giveUp) && !f.refusals.any.Load(); time.Sleep(tick) {
		if condition() {
			return
		}
	}
	f.refusals.any.Store(true)
}

func (f *features) useStoreAndLock(t *testing.T) {
	store := redisadapter.NewStore(f.user)
	ref, _ := store.Put(t.Context(), []byte(f.name))
	_, _ = store.Get(t.Context(), ref, 100)
	key := "machinery_lock_" + f.name
	for range 2 {
		_ = redisadapter.NewLock(f.user).Lock(key, time.Now().Add(time.Minute).UnixNano())
	}
}

func (f *features) useDeadLetters(t *testing.T) {
	queue := f.cnf.DefaultQueue
	for _, key := range []string{redisadapter.DeadLettersKey(queue), queue + ":letters"} {
		letters := redisadapter.NewDeadLetters(f.user, key, redisadapter.WithMaxDeadLetterBytes(1<<20))
		for range 3 {
			_ = letters.Push(t.Context(), routed(queue, "a"), nil)
		}
		for letter, err := range letters.All(t.Context()) {
			if err == nil {
				_ = letters.Drop(t.Context(), letter.ID)
			}
			break
		}
		_, _ = letters.Count(t.Context())
		_, _ = letters.ReplayAll(t.Context())
		_, _ = letters.DropAll(t.Context())
	}
	f.client.Del(t.Context(), queue)
}

// useSource looks at a task that waits and one that is delayed, and acts on them.
func (f *features) useSource(t *testing.T) {
	broker, source := redisadapter.NewBroker(f.cnf, f.user), redisadapter.NewSource(f.cnf, f.user)
	delayed, late := task("add", "task_"+f.name+"-delayed"), time.Now().Add(time.Hour)
	delayed.ETA = &late
	_ = broker.Publish(t.Context(), delayed)
	_ = broker.Publish(t.Context(), task("add", "task_"+f.name+"-waits"))
	_, _ = source.Queues(t.Context())
	for _, state := range inspect.States() {
		_, _ = source.Tasks(t.Context(), f.cnf.DefaultQueue, state, inspect.Page{})
	}
	_ = errors.Join(source.Delete(t.Context(), "task_"+f.name+"-waits"), source.Delete(t.Context(), delayed.UUID))
}

// useBroker has one worker do all that workers do: it finds what a dead one has left, tasks that it does not know, that
// fail and that are delayed.
func (f *features) useBroker(t *testing.T) {
	queue := f.cnf.DefaultQueue
	left, err := f.client.RPush(t.Context(), "{"+queue+"}:processing:dead", message("left")).Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, left)
	require.NoError(t, f.client.ZAdd(t.Context(), "{"+queue+"}:consumers", &redis.Z{Score: 1, Member: "dead"}).Err())

	letters := redisadapter.NewDeadLetters(f.user, queue+":letters")
	broker := redisadapter.NewBroker(f.cnf, f.user, redisadapter.WithPriorities(), redisadapter.WithLogger(f.log.Logger()),
		redisadapter.WithHeartbeatTimeout(200*time.Millisecond), redisadapter.WithBackoff(time.Millisecond, time.Millisecond),
		redisadapter.WithQueues(queue), redisadapter.WithDeadLetters(letters), redisadapter.WithPublishTimeout(time.Millisecond))
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	failed, release := atomic.Bool{}, make(chan struct{})
	p := &processor{Func: func(s *tasks.Signature) error {
		_ = seen.Add(s)
		<-release
		if s.UUID == "fails" && !failed.Swap(true) {
			return errors.New("no good")
		}
		return nil
	}}
	ended := work(t, broker, 1, p)
	ctx := t.Context()
	_ = broker.Publish(ctx, task("add", "first"))
	f.mustHappen(func() bool { return seen.Len() > 0 })
	late := time.Now().Add(2 * time.Second)
	strange, delayed := task("strange", "strange"), task("add", "delayed")
	delayed.ETA = &late
	for _, s := range []*tasks.Signature{
		prioritized("low", 0), strange, task("add", "fails"), prioritized("high", 9), prioritized("middle", 5), delayed,
	} {
		_ = broker.Publish(ctx, s)
	}
	f.mustHappen(func() bool { return f.client.Exists(ctx, "{"+queue+"}:processing:dead").Val() == 0 })
	// As a worker that stops puts it back, before all that is in the queue.
	_ = f.client.LPush(ctx, queue, strings.Replace(message("back"), `{`, `{"Priority":5,`, 1)).Err()
	_, _ = broker.GetPendingTasks("")
	_, _ = broker.GetDelayedTasks()
	close(release)
	f.mustHappen(func() bool {
		want := []string{"first", "left", "low", "fails", "high", "middle", "delayed", "back"}
		return !slices.ContainsFunc(want, func(uuid string) bool { return !slices.Contains(seen.UUIDs(), uuid) }) && failed.Load()
	})
	f.mustHappen(func() bool { return f.client.Del(ctx, queue).Val() == 1 }) // the strange one goes round for ever
	f.mustHappen(f.refusals.waited.Load)
	if !f.refusals.any.Load() {
		broker.StopConsuming()
		<-ended
	}
}

func TestDocumentedRightsAreEnough(t *testing.T) {
	t.Parallel()
	f := newFeatures(t, documentedRights(t, queuesOfTests, delayedOfTests), timeout)
	require.False(t, f.use(t), f.log)
	require.Empty(t, f.log.Lines("permit"), f.log)
}

// optional are rights without which nothing fails.
var optional = []string{"-@all", "+ping", "+publish", "+unsubscribe"}

// Without one of the rights something is refused.
func TestEachDocumentedRightIsNeeded(t *testing.T) {
	t.Parallel()
	rights := documentedRights(t, queuesOfTests, delayedOfTests)
	for _, right := range rights {
		if strings.HasPrefix(right, "reset") || strings.HasPrefix(right, "&machinery:sooner:") || slices.Contains(optional, right) {
			continue
		}
		t.Run(fmt.Sprint("without ", right), func(t *testing.T) {
			t.Parallel()
			without := slices.DeleteFunc(slices.Clone(rights), func(other string) bool { return other == right })
			f := newFeatures(t, without, 10*time.Second)
			require.True(t, f.use(t), "all works without it")
		})
	}
}

// notTried are the commands without which brokers do all that they promise, and those of backends, stores and sources
// alone.
var notTried = []string{
	"+getrange", "+info", "+lset", "+ping", "+publish", "+smembers", "+subscribe", "+unsubscribe", "+scard", "+srem", "+strlen",
}

func TestMissingRightsAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	scripts := []string{"+eval", "+evalsha"}
	rights := documentedRights(t, queuesOfTests, delayedOfTests)
	var commands []string
	for _, right := range rights {
		if strings.HasPrefix(right, "+") && !slices.Contains(slices.Concat(scripts, notTried), right) {
			commands = append(commands, right)
		}
	}
	for name, missing := range map[string][]string{
		"scripts": scripts, "commands": commands, "eval": {"+eval"}, "zadd": {"+zadd"}, "delayed": {"~" + delayedOfTests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeatures(t, slices.DeleteFunc(slices.Clone(rights), func(right string) bool {
				return slices.Contains(missing, right)
			}), 10*time.Second)
			broker := redisadapter.NewBroker(f.cnf, f.user, redisadapter.WithLogger(f.log.Logger()))
			work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return nil }})
			eventually(t, func() bool { return len(f.log.Lines("does not permit")) > 0 })
			require.Equal(t, missing, f.notPermitted(t))
		})
	}
}

// notPermitted returns the rights that the log says are missing, as an ACL line has them.
func (f *features) notPermitted(t *testing.T) (rights []string) {
	lines := f.log.Lines("does not permit")
	require.Len(t, lines, 1)
	list := regexp.MustCompile(`(commands|keys)="?([^"\n]*)`).FindStringSubmatch(lines[0])
	require.NotNil(t, list, lines[0])
	for _, name := range strings.Fields(list[2]) {
		if list[1] == "commands" {
			rights = append(rights, "+"+name)
		} else {
			rights = append(rights, "~"+strings.ReplaceAll(name, f.name, "test-*"))
		}
	}
	slices.Sort(rights)
	return rights
}
