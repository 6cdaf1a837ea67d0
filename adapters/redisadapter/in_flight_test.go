package redisadapter

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// Each leaves the message "a" done, and the fetcher waiting for a slot.
func TestWhatIsDoneIsDueWhereTheFetcherDoesNotCome(t *testing.T) {
	for name, leave := range map[string]func(*inFlight){
		"it ended while the fetcher waited": func(f *inFlight) {
			f.finish(message{body: "a"}, processed)
		},
		"it ended before the fetcher came back": func(f *inFlight) {
			f.leave()
			f.finish(message{body: "a"}, processed)
			<-f.ackDue
			f.comeBack()
		},
		"acknowledging it failed": func(f *inFlight) {
			f.finish(message{body: "a"}, processed)
			f.acknowledged(f.takeDone(), errors.New("refused"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := takenInFlight("a")
				leave(f)
				require.Empty(t, f.takeDoneWhileAway())
				<-f.ackDue
				require.Equal(t, []string{"a"}, f.takeDoneWhileAway())
			})
		})
	}
}

func TestWhatIsDoneIsLeftToTheFetcherThatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := takenInFlight("a", "b")
		f.finish(message{body: "a"}, processed)
		require.Equal(t, []string{"a"}, f.takeDone())
		time.Sleep(ackDelay - 1)
		f.finish(message{body: "b"}, processed)
		time.Sleep(ackDelay - 1)
		require.Empty(t, f.ackDue)
		require.Empty(t, f.takeDoneWhileAway())
		require.Equal(t, []string{"b"}, f.takeDone())
	})
}

func TestWhatCouldNotBeAcknowledgedIsDoneStill(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	defer func() { require.NoError(t, client.Close()) }()
	server.SetError("LOADING Redis is loading the dataset in memory")
	f := takenInFlight("a", "b", "c")
	a := acknowledger{processing: newProcessing(client, "q"), inFlight: f}
	f.finish(message{body: "a"}, processed)
	f.finish(message{body: "b"}, processed)
	done := f.takeDone()
	f.finish(message{body: "c"}, processed)
	require.ErrorContains(t, a.acknowledge(t.Context(), done), "LOADING")
	require.Equal(t, []string{"a", "b", "c"}, f.takeDone())
	require.Len(t, f.snapshot(), 3)
}

// One that is replayed at once would be tried less often.
func TestNothingIsFetchedBeforeWhatIsBeingAcknowledged(t *testing.T) {
	t.Parallel()
	g := newGate()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	defer func() { require.NoError(t, client.Close()) }()
	client.AddHook(g)
	f := takenInFlight("a")
	a := &acknowledger{processing: newProcessing(client, "q"), inFlight: f, outage: &delivery.Outage{}}
	idle := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { a.run(idle) })
	f.leave()
	f.finish(message{body: "a"}, processed)
	<-g.arrived
	time.AfterFunc(10*time.Millisecond, func() { close(g.open) })
	require.Empty(t, a.takeDone())
	require.Empty(t, f.snapshot())
	close(idle)
	running.Wait()
}

// Of two that are equal one runs still: it would begin a second time.
func TestCopyThatRunsIsHeldWhenTheOtherIsAcknowledged(t *testing.T) {
	t.Parallel()
	f := takenInFlight("a", "a")
	f.finish(message{body: "a"}, processed)
	f.acknowledged(f.takeDone(), nil)
	require.Equal(t, map[string]int{"a": 1}, f.snapshot())
}

// It goes back when the consumer leaves.
func TestMessageThatComesWithTheStopIsNotBegun(t *testing.T) {
	t.Parallel()
	workers := lifecycle.NewWorkers()
	l := workers.Start(lifecycle.Name{})
	var stopping sync.WaitGroup
	stopping.Go(workers.StopAll)
	<-l.Stopping().Done()
	f := takenInFlight("before")
	r := runner{lifecycle: l, inFlight: f, pool: new(pool)}
	r.begin(message{body: "a"})
	require.Equal(t, map[string]int{"before": 1}, f.snapshot())
	l.End()
	stopping.Wait()
}

func takenInFlight(bodies ...string) *inFlight {
	s := newSlots(len(bodies), []queueShare{{name: "q", weight: 1}}).shares[0]
	f := newInFlight(s)
	s.reserve(nil)
	for _, body := range bodies {
		f.take(message{body: body})
	}
	return f
}
