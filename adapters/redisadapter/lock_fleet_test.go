package redisadapter

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func lockClients(t *testing.T) map[string]redis.UniversalClient {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	clients := map[string]redis.UniversalClient{
		"embedded": redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}),
		"cluster":  NewClusterClient(&redis.ClusterOptions{Addrs: services.RedisCluster(t)}),
		"real":     redis.NewClient(options),
	}
	for _, client := range clients {
		t.Cleanup(func() { require.NoError(t, client.Close()) })
	}
	return clients
}

func TestLockScriptDoesWhatItsModelDoes(t *testing.T) {
	const long, longer = time.Hour, 3 * time.Hour
	steps := []struct {
		name      string
		claim     lockClaim
		remaining time.Duration
	}{
		{"free", lockClaim{"a", "1", long}, taken},
		{"the call that has it", lockClaim{"a", "1", long}, taken},
		{"another owner", lockClaim{"b", "1", long}, long},
		{"another owner's next firing", lockClaim{"b", "1", longer}, long},
		{"another owner whose name begins alike", lockClaim{"", "1", longer}, long},
		{"the owner, same firing", lockClaim{"a", "2", long}, long},
		{"the owner's next firing", lockClaim{"a", "3", longer}, taken},
		{"the owner's firing before", lockClaim{"a", "4", long}, longer},
	}
	takes := map[string]takeFunc{"model": new(lockModel).take}
	clients := lockClients(t)
	for name, client := range clients {
		takes[name] = takeIn(client)
	}
	key := "lock-" + rand.Text()
	for name, take := range takes {
		for _, step := range steps {
			remaining, err := take(t.Context(), key, step.claim)
			require.NoError(t, err)
			if step.remaining == taken {
				require.Equal(t, taken, remaining, "%s: %s", name, step.name)
				continue
			}
			require.InDelta(t, step.remaining, remaining, float64(time.Minute), "%s: %s", name, step.name)
		}
	}
	for name, client := range clients {
		require.Positive(t, client.PTTL(t.Context(), key).Val(), name)
		require.NoError(t, client.Persist(t.Context(), key).Err())
		remaining, err := takes[name](t.Context(), key, lockClaim{"b", "1", long})
		require.NoError(t, err)
		require.Equal(t, taken, remaining, "%s: a key without expiry is nobody's lock", name)
		require.NoError(t, client.Del(t.Context(), key).Err())
	}
}

func TestLockEndsByItself(t *testing.T) {
	for name, client := range lockClients(t) {
		if name == "embedded" {
			continue // its keys do not expire with time
		}
		key := "lock-" + rand.Text()
		owner, other := NewLock(client), NewLock(client)
		require.NoError(t, owner.Lock(key, time.Now().Add(200*time.Millisecond).UnixNano()))
		until := time.Now().Add(time.Minute).UnixNano()
		require.ErrorIs(t, other.Lock(key, until), ErrLockHeld)
		require.NoError(t, other.LockWithRetries(key, until), "the owner's lock is of an earlier firing")
		require.ErrorIs(t, owner.LockWithRetries(key, until), ErrLockHeld, "it has taken over")
		require.NoError(t, client.Del(t.Context(), key).Err())
	}
}

const (
	memberName  = "MACHINERY_ENVELOPE_FLEET"
	memberClock = "MACHINERY_ENVELOPE_FLEET_CLOCK"
	fleetPeriod = 2 * time.Second
)

// memberLock has a clock of its own, which is wrong, and notes what it has locked.
type memberLock struct {
	*lock
	client redis.UniversalClient
	name   string
	wrong  time.Duration
}

func (l *memberLock) LockWithRetries(key string, unixTsToExpireNs int64) error {
	err := l.lock.LockWithRetries(key, unixTsToExpireNs+int64(l.wrong))
	if err != nil {
		return err
	}
	sent := fmt.Sprintf("%d %d", os.Getpid(), unixTsToExpireNs)
	return l.client.RPush(context.Background(), l.name+":sent", sent).Err()
}

func newFleetServer(client redis.UniversalClient, name string, wrong time.Duration) *machinery.Server {
	cnf := &config.Config{
		DefaultQueue:    name + ":tasks",
		ResultsExpireIn: 60,
		NoUnixSignals:   true,
		Redis:           &config.RedisConfig{DelayedTasksKey: name + ":delayed"},
	}
	l := NewLock(client).(*lock)
	l.now = func() time.Time { return time.Now().Add(wrong) }
	return machinery.NewServer(cnf, NewBroker(cnf, client), NewBackend(cnf, client), &memberLock{l, client, name, wrong})
}

// TestFleetMember is a process of TestFleetSendsEachFiringOnce. It ends with its standard input.
func TestFleetMember(t *testing.T) {
	name := os.Getenv(memberName)
	if name == "" {
		t.Skip("only as a process of a fleet")
	}
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	wrong, err := time.ParseDuration(os.Getenv(memberClock))
	require.NoError(t, err)
	server := newFleetServer(client, name, wrong)
	// "@every" counts from the second of its registration. All are to fire at the same time.
	now := time.Now()
	time.Sleep(now.Truncate(fleetPeriod).Add(fleetPeriod).Sub(now))
	spec := "@every " + fleetPeriod.String()
	// Its name is in the key of its lock, which other fleets on this Redis must not share.
	require.NoError(t, server.RegisterPeriodicTask(spec, name, &tasks.Signature{Name: "tick"}))
	require.NoError(t, client.Incr(t.Context(), name+":ready").Err())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// Each firing runs once in a fleet of processes whose clocks differ, while its members are killed.
func TestFleetSendsEachFiringOnce(t *testing.T) {
	url := services.Redis(t)
	t.Parallel()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	f := &realFleet{t: t, url: url, client: client, name: "{fleet-" + rand.Text() + "}", members: make(map[string]*exec.Cmd)}
	defer f.removeKeys()

	var runs atomic.Int32
	server := newFleetServer(client, f.name, 0)
	require.NoError(t, server.RegisterTask("tick", func() error { runs.Add(1); return nil }))
	worker := server.NewWorker("worker", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	clocks := []string{"0s", "5s", "-5s", "1h"}
	for _, wrong := range clocks {
		f.start(wrong)
	}
	f.eventually(func() bool { return f.ready() == len(clocks) }) // who is killed must have others to take over
	for range 2 {
		before := len(f.sent())
		f.eventually(func() bool { return len(f.sent()) >= before+2 && int(runs.Load()) == len(f.sent()) })
		f.killOwner()
	}
	before := len(f.sent())
	f.eventually(func() bool { return len(f.sent()) >= before+2 && int(runs.Load()) == len(f.sent()) })
	f.stop()
	worker.Quit()
	<-ended

	sent := f.sent()
	require.EqualValues(t, len(sent), runs.Load())
	for i := range sent[1:] {
		require.Equal(t, fleetPeriod, time.Duration(sent[i+1].next-sent[i].next), "firing %d: %v", i+1, sent)
	}
}

type realFleet struct {
	t       *testing.T
	url     string
	client  *redis.Client
	name    string
	members map[string]*exec.Cmd // by process ID
}

func (f *realFleet) start(wrong string) {
	command := exec.Command(os.Args[0], "-test.run=^TestFleetMember$")
	command.Env = append(os.Environ(), "REDIS_URL="+f.url, memberName+"="+f.name, memberClock+"="+wrong)
	// It closes with this process, whatever ends it.
	_, err := command.StdinPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, command.Start())
	f.members[strconv.Itoa(command.Process.Pid)] = command
	f.t.Cleanup(func() { _ = command.Process.Kill() })
}

// ready returns how many members have their periodic task.
func (f *realFleet) ready() int {
	many, _ := f.client.Get(context.Background(), f.name+":ready").Int()
	return many
}

type sentFiring struct {
	process string
	next    int64
}

func (f *realFleet) sent() []sentFiring {
	lines, err := f.client.LRange(context.Background(), f.name+":sent", 0, -1).Result()
	require.NoError(f.t, err)
	sent := make([]sentFiring, len(lines))
	for i, line := range lines {
		_, err := fmt.Fscan(bufio.NewReader(strings.NewReader(line)), &sent[i].process, &sent[i].next)
		require.NoError(f.t, err)
	}
	return sent
}

func (f *realFleet) killOwner() {
	sent := f.sent()
	owner := sent[len(sent)-1].process
	require.NoError(f.t, f.members[owner].Process.Kill())
	_ = f.members[owner].Wait()
	delete(f.members, owner)
}

func (f *realFleet) stop() {
	for _, member := range f.members {
		_ = member.Process.Kill()
		_ = member.Wait()
	}
}

func (f *realFleet) eventually(condition func() bool) {
	f.t.Helper()
	adaptertest.Eventually(f.t, condition)
}

func (f *realFleet) removeKeys() {
	ctx := context.Background()
	keys := f.client.Scan(ctx, 0, "*"+f.name+"*", 1000).Iterator()
	for keys.Next(ctx) {
		f.client.Del(ctx, keys.Val())
	}
}
