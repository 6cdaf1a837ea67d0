package redisadapter_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	machinerybroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// machineryBrokers are Machinery's own for Redis.
var machineryBrokers = map[string]func(s *site) brokersiface.Broker{
	"go-redis": func(s *site) brokersiface.Broker {
		return machinerybroker.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
	},
	"redigo": func(s *site) brokersiface.Broker {
		return machinerybroker.New(s.cnf, s.options.Addr, s.options.Username, s.options.Password, "", s.options.DB)
	},
}

// Both kinds of workers take from one queue what both kinds of brokers have sent, at once and delayed.
func TestMixedFleetDoesEachTaskOnce(t *testing.T) {
	t.Parallel()
	const many = 200
	for name, newTheirs := range machineryBrokers {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, realRedis(t))
			s.cnf.Redis.NormalTasksPollPeriod = 1000
			ours, theirs := newWorkingBroker(s), newTheirs(s)
			theirs.SetRegisteredTaskNames([]string{"add"})
			var oursSeen, theirsSeen journal
			want := make(map[string]int)
			for i := range many {
				sender := []brokersiface.Broker{ours, theirs}[i%2]
				signature := task("add", fmt.Sprint(i))
				if i%10 < 2 {
					signature = delayed(signature.UUID, time.Now().Add(glance))
				}
				publish(t, sender, signature)
				want[signature.UUID] = 1
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = theirs.StartConsuming("theirs", 2, untilBothWork(t, &theirsSeen, &oursSeen))
			}()
			work(t, ours, 2, untilBothWork(t, &oursSeen, &theirsSeen))

			counts := func() map[string]int {
				found := make(map[string]int)
				for _, uuid := range slices.Concat(oursSeen.UUIDs(), theirsSeen.UUIDs()) {
					found[uuid]++
				}
				return found
			}
			eventually(t, func() bool { return len(counts()) == many })
			require.True(t, maps.Equal(want, counts()))
			require.NotEmpty(t, oursSeen.UUIDs())
			require.NotEmpty(t, theirsSeen.UUIDs())
			theirs.StopConsuming()
			await(t, ended)
		})
	}
}

// untilBothWork has no task end before the other kind of worker has one too.
func untilBothWork(t *testing.T, seen, others *journal) *processor {
	return &processor{Func: func(signature *tasks.Signature) error {
		_ = seen.Add(signature)
		for others.Len() == 0 && t.Context().Err() == nil {
			time.Sleep(tick)
		}
		return nil
	}}
}

func TestMachinerysWorkerRunsWhatOursGivesBack(t *testing.T) {
	t.Parallel()
	for name, newTheirs := range machineryBrokers {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, realRedis(t))
			s.cnf.Redis.NormalTasksPollPeriod = 1000
			ours := redisadapter.NewBroker(s.cnf, s.client)
			ended := work(t, ours, 1, &processor{})
			publish(t, ours, task("add", "a"))
			ours.StopConsuming()
			await(t, ended)

			theirs := newTheirs(s)
			theirs.SetRegisteredTaskNames([]string{"add"})
			var seen journal
			theirsEnded := make(chan struct{})
			go func() {
				defer close(theirsEnded)
				_, _ = theirs.StartConsuming("theirs", 1, &processor{Func: seen.Add})
			}()
			seen.AwaitInOrder(t, "a")
			theirs.StopConsuming()
			await(t, theirsEnded)
		})
	}
}
