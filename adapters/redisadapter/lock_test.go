package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
)

// lockModel does what the script of a lock does, by the time of a synctest bubble. TestLockScriptDoesWhatItsModelDoes
// compares the two.
type lockModel struct {
	mu    sync.Mutex
	claim string
	until time.Time
	err   error // returned instead
	lost  error // returned although the key was given to the claim
}

func (m *lockModel) take(_ context.Context, _ string, claim lockClaim) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	wanted, remaining := claim.owner+":"+claim.call, time.Until(m.until)
	if remaining > 0 && m.claim != wanted {
		ownersNext := strings.HasPrefix(m.claim, claim.owner+":") && remaining < claim.duration/2
		if !ownersNext {
			return remaining, nil
		}
	}
	m.claim, m.until = wanted, time.Now().Add(claim.duration)
	if m.lost != nil {
		return 0, m.lost
	}
	return taken, nil
}

// A schedule returns the next firing after a time.
type schedule func(time.Time) time.Time

func every(period time.Duration) schedule {
	return func(t time.Time) time.Time { return t.Truncate(period).Add(period) }
}

// twiceAnHour fires at 0 and 5 minutes past.
func twiceAnHour(t time.Time) time.Time {
	hour := t.Truncate(time.Hour)
	if past := hour.Add(5 * time.Minute); t.Before(past) {
		return past
	}
	return hour.Add(time.Hour)
}

// A fleet is some processes with one periodic task.
type fleet struct {
	redis    lockModel
	schedule schedule
	jitter   time.Duration

	mu      sync.Mutex
	running map[string]context.CancelFunc
	sent    []firing
	firings sync.WaitGroup
}

type firing struct {
	process string
	nominal time.Time // by the clock of the process
	at      time.Time
}

// start runs a process as Machinery's scheduler does, with a clock that is wrong.
func (f *fleet) start(ctx context.Context, name string, wrong time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	f.mu.Lock()
	if f.running == nil {
		f.running = make(map[string]context.CancelFunc)
	}
	f.running[name] = cancel
	f.mu.Unlock()
	clock := func() time.Time { return time.Now().Add(wrong) }
	l := &lock{take: f.redis.take, owner: name, now: clock, timeout: defaultLockTimeout, logger: slog.New(slog.DiscardHandler)}
	f.firings.Go(func() {
		for {
			nominal := f.schedule(clock())
			wait := nominal.Sub(clock())
			if f.jitter > 0 {
				wait += rand.N(f.jitter)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			f.firings.Go(func() { f.fire(ctx, name, l, nominal) })
		}
	})
}

func (f *fleet) fire(ctx context.Context, name string, l *lock, nominal time.Time) {
	err := l.LockWithRetries("key", f.schedule(l.now()).UnixNano()-1)
	if err != nil || ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, firing{name, nominal, time.Now()})
}

// killOwner ends the process that sent the latest firing.
func (f *fleet) killOwner() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	owner := f.sent[len(f.sent)-1].process
	f.running[owner]()
	return owner
}

// requireEachOnce requires that each firing between the first and the last that were sent was sent once.
func (f *fleet) requireEachOnce(t *testing.T, atLeast int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.GreaterOrEqual(t, len(f.sent), atLeast)
	for i, sent := range f.sent[1:] {
		require.Equal(t, f.schedule(f.sent[i].nominal), sent.nominal, "firing %d: %v after %v", i+1, sent, f.sent[i])
	}
}

func TestEachFiringIsSentOnceWhateverTheClocks(t *testing.T) {
	for name, c := range map[string]struct {
		schedule schedule
		wrong    []time.Duration
		firings  int
		length   time.Duration
	}{
		"right":                       {every(time.Minute), []time.Duration{0, 0, 0, 0, 0}, 1000, 1000 * time.Minute},
		"5 s off, either way":         {every(time.Minute), []time.Duration{-5 * time.Second, 0, 5 * time.Second}, 1000, 1000 * time.Minute},
		"25 s off":                    {every(time.Minute), []time.Duration{25 * time.Second, 0}, 1000, 1000 * time.Minute},
		"uneven schedule":             {twiceAnHour, []time.Duration{-5 * time.Second, 0, 5 * time.Second}, 400, 200 * time.Hour},
		"an hour off, once a day":     {every(24 * time.Hour), []time.Duration{time.Hour, 0, -time.Hour}, 100, 100 * 24 * time.Hour},
		"milliseconds off, 1 second":  {every(time.Second), []time.Duration{3 * time.Millisecond, 0}, 1000, 1000 * time.Second},
		"5 s off, once in 11 seconds": {every(11 * time.Second), []time.Duration{-5 * time.Second, 0}, 100, 1100 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.length+time.Second/2)
				defer cancel()
				f := &fleet{schedule: c.schedule, jitter: 10 * time.Millisecond}
				for i, wrong := range c.wrong {
					f.start(ctx, fmt.Sprint("p", i), wrong)
				}
				<-ctx.Done()
				f.firings.Wait()
				f.requireEachOnce(t, c.firings-1)
			})
		})
	}
}

// An hour off, a process is at another firing of a task that runs each minute. Real time counts.
func TestClockThatIsWrongByManyPeriodsCausesNoFurtherFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const minutes = 1000
		ctx, cancel := context.WithTimeout(t.Context(), minutes*time.Minute+time.Second)
		defer cancel()
		f := &fleet{schedule: every(time.Minute), jitter: 10 * time.Millisecond}
		f.start(ctx, "right", 0)
		f.start(ctx, "fast", time.Hour)
		f.start(ctx, "slow", -time.Hour-5*time.Second)
		<-ctx.Done()
		f.firings.Wait()
		require.Len(t, f.sent, minutes)
		for i, sent := range f.sent[1:] {
			require.InDelta(t, time.Minute, sent.at.Sub(f.sent[i].at), float64(7*time.Second))
		}
	})
}

func TestFiringsOfDeadOwnersAreSentByOthers(t *testing.T) {
	for _, wrong := range [][]time.Duration{{0, 0, 0}, {-5 * time.Second, 0, 5 * time.Second}} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const deaths = 200
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f := &fleet{schedule: every(time.Minute), jitter: 10 * time.Millisecond}
				clocks := make(map[string]time.Duration)
				for i, wrong := range wrong {
					name := fmt.Sprint("p", i)
					clocks[name] = wrong
					f.start(ctx, name, wrong)
				}
				time.Sleep(90 * time.Second)
				for i := range deaths {
					dead := f.killOwner()
					time.Sleep(2 * time.Minute)
					name := fmt.Sprint("q", i) // another with the same clock
					clocks[name] = clocks[dead]
					f.start(ctx, name, clocks[dead])
					time.Sleep(time.Minute)
				}
				cancel()
				f.firings.Wait()
				f.requireEachOnce(t, 3*deaths)
			})
		})
	}
}

// Processes count "@every" from when they were started.
func TestProcessesWhoseFiringsLieApartSendOneInEachPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const periods = 1000
		ctx, cancel := context.WithTimeout(t.Context(), periods*time.Minute)
		defer cancel()
		f := &fleet{schedule: every(time.Minute), jitter: 10 * time.Millisecond}
		for i := range 6 {
			f.start(ctx, fmt.Sprint("p", i), time.Duration(i)*10*time.Second)
		}
		<-ctx.Done()
		f.firings.Wait()
		require.InDelta(t, periods, len(f.sent), 1)
	})
}

func TestLockIsTriedAgainWhileRedisFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &lockModel{err: errors.New("redis is away")}
		l := &lock{take: m.take, owner: "a", now: time.Now, timeout: defaultLockTimeout}
		time.AfterFunc(10*time.Second, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.err = nil
		})
		require.NoError(t, l.LockWithRetries("key", time.Now().Add(time.Minute).UnixNano()))
	})
}

func TestLockReturnsTheErrorOfRedisInTime(t *testing.T) {
	away := errors.New("redis is away")
	for _, c := range []struct{ timeout, left, atMost time.Duration }{
		{defaultLockTimeout, time.Hour, defaultLockTimeout},
		{defaultLockTimeout, 2 * time.Second, 2 * time.Second},
		{0, time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &lock{take: (&lockModel{err: away}).take, owner: "a", now: time.Now, timeout: c.timeout, logger: slog.New(slog.DiscardHandler)}
			start := time.Now()
			require.ErrorIs(t, l.LockWithRetries("key", start.Add(c.left).UnixNano()), away)
			require.LessOrEqual(t, time.Since(start), c.atMost)
			require.ErrorIs(t, l.Lock("key", time.Now().Add(c.left).UnixNano()), away)
		})
	}
}

func TestLockTimeoutThatCannotBeMeantIsNamed(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	l := NewLock(client, WithLockTimeout(-time.Second))
	for _, err := range []error{
		l.Lock("key", time.Now().Add(time.Hour).UnixNano()), l.LockWithRetries("key", time.Now().Add(time.Hour).UnixNano()),
	} {
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, "WithLockTimeout(-1s)")
	}
}

func TestLockTimeoutIsWhatItWasSetTo(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			away := errors.New("redis is away")
			l := NewLock(nil, WithLockTimeout(timeout)).(*lock)
			l.take, l.logger = (&lockModel{err: away}).take, slog.New(slog.DiscardHandler)
			start := time.Now()
			require.ErrorIs(t, l.LockWithRetries("key", start.Add(time.Hour).UnixNano()), away)
			require.LessOrEqual(t, time.Since(start), timeout)
			require.GreaterOrEqual(t, time.Since(start), timeout-2*time.Second, "the last pause")
		})
	}
}

func TestLostReplyIsNoLockOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &lockModel{lost: errors.New("connection reset")}
		l := &lock{take: m.take, owner: "a", now: time.Now, timeout: defaultLockTimeout}
		time.AfterFunc(time.Second, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.lost = nil
		})
		require.NoError(t, l.LockWithRetries("key", time.Now().Add(time.Minute).UnixNano()))
	})
}

func TestTimeThatIsPastIsHeld(t *testing.T) {
	l := &lock{take: (&lockModel{}).take, owner: "a", now: time.Now, timeout: defaultLockTimeout}
	require.ErrorIs(t, l.LockWithRetries("key", time.Now().UnixNano()-1), ErrLockHeld)
	require.ErrorIs(t, l.Lock("key", time.Now().UnixNano()-1), ErrLockHeld)
}
