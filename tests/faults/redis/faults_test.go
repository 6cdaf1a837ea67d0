package redis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

const chains = 3000

func TestKilledWorkersLoseNoTask(t *testing.T) {
	const kills = 20
	s := startServer(t)
	r := newRun(t, s)
	for chain := range chains {
		r.send(chain)
	}
	f := launchFleet(t, s, 4)
	for i := range kills {
		r.awaitDone((i + 1) * len(r.sent) / (kills + 2))
		f.killOne()
	}
	r.awaitAll()
	require.Equal(t, kills, f.died())
}

func TestRestartsOfRedisLoseNoTask(t *testing.T) {
	const restarts = 5
	s := startServer(t)
	r := newRun(t, s)
	f := launchFleet(t, s, 3)
	for i := range restarts {
		end := make(chan error)
		go func() {
			s.kill()
			end <- s.start()
		}()
		// It goes away while tasks are sent and run.
		for chain := range chains / restarts / 2 {
			r.send(i*chains/restarts + chain)
		}
		require.NoError(t, <-end)
		r.awaitDone(len(r.sent) / 2)
	}
	r.awaitAll()
	require.Zero(t, f.died(), "workers died of it")
}

func TestConnectionsThatAreCutLoseNoTask(t *testing.T) {
	const (
		cuts  = 100
		every = 100 * time.Millisecond
	)
	s := startServer(t)
	r := newRun(t, s)
	f := launchFleet(t, s, 3)
	cutter := s.dial()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range cuts {
			// Redis answers before it cuts the connection that asks.
			_ = cutter.ClientKillByFilter(context.Background(), "TYPE", "normal", "SKIPME", "yes").Err()
			time.Sleep(every)
		}
	}()
	chain := 0
	for cutting := true; cutting; chain++ {
		select {
		case <-ended:
			cutting = false
		default:
		}
		r.send(chain)
	}
	r.awaitAll()
	require.Zero(t, f.died(), "workers died of it")
}

func TestPoisonGoesToTheDeadLettersAndAllElseIsDone(t *testing.T) {
	const (
		poisons = 1000
		killers = 2
	)
	// A worker that is only slow must not be taken for dead: its killer would kill another one too.
	t.Setenv(heartbeatVariable, "3s")
	s := startServer(t)
	r := newRun(t, s)
	want := make(map[string]bool)
	for i := range poisons {
		for chain := range chains / poisons {
			r.send(i*chains/poisons + chain)
		}
		want[r.sendPoison(i, killers)] = true
	}
	require.Len(t, want, poisons)
	f := launchFleet(t, s, 3)
	r.awaitAll()

	eventually(t, func() bool { return len(r.deadLettered()) >= poisons }, func() string {
		return fmt.Sprintf("%d of %d poisons are in the dead letters", len(r.deadLettered()), poisons)
	})
	require.Equal(t, want, r.deadLettered())
	// A killer goes to the dead letters when deliveryLimit workers have died that had it. Two of them die with one worker
	// only while one of the two does not run apart, which it does once two workers have died of it: twice at most.
	const deaths, shared = killers * deliveryLimit, 2
	require.LessOrEqual(t, f.died(), deaths, "no killer is tried more often, and nothing else kills workers")
	require.GreaterOrEqual(t, f.died(), deaths-shared, "no killer is given up earlier")
}

// deadLettered returns what the dead letters have, as sendPoison does.
func (r *run) deadLettered() map[string]bool {
	r.t.Helper()
	found := make(map[string]bool)
	for letter, err := range redisadapter.NewDeadLetters(r.client, deadLettersKey).All(context.Background()) {
		require.NoError(r.t, err)
		if letter.Task != nil {
			found[letter.UUID] = true
		} else {
			found[string(letter.Body)] = true
		}
	}
	return found
}

// sendPoison sends a message that no worker can do, and returns by what to know it.
func (r *run) sendPoison(i, killers int) string {
	r.t.Helper()
	uuid := fmt.Sprint("poison-", i)
	arg := tasks.Arg{Type: "string", Value: `{"$envelope":1,"type":"faults.Step","data":{"Chain":0,"Index":0}}`}
	signature := &tasks.Signature{Name: stepTask, UUID: uuid, RoutingKey: queue}
	switch {
	case i < killers:
		signature.Name, signature.Args = killTask, []tasks.Arg{arg}
	case i%4 == 0:
		garbage := fmt.Sprintf("{garbage %d\xff", i)
		require.NoError(r.t, r.client.RPush(context.Background(), queue, garbage).Err())
		return garbage
	case i%4 == 1:
		signature.Args = []tasks.Arg{{Type: "nonsense", Value: i}}
	case i%4 == 2:
		signature.Args = []tasks.Arg{arg, arg}
	default:
		signature.Args = []tasks.Arg{{Type: "string", Value: `{"$envelope":1,"type":"faults.Step","data":{"Chain":`}}
	}
	message, err := json.Marshal(signature)
	require.NoError(r.t, err)
	require.NoError(r.t, r.client.RPush(context.Background(), queue, message).Err())
	return uuid
}
