package redisadapter

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func weighted(free int, weights ...float64) *slots {
	queues := make([]queueShare, len(weights))
	for i, weight := range weights {
		queues[i].weight = weight
	}
	return newSlots(free, queues)
}

// ranked has queues of the given ranks, of which those of the same one share equally.
func ranked(free int, ranks ...int) *slots {
	queues := make([]queueShare, len(ranks))
	for i, rank := range ranks {
		queues[i] = queueShare{rank: rank, weight: 1}
	}
	return newSlots(free, queues)
}

// mayReserve reports how many slots a share gets without waiting.
func mayReserve(s *share) int {
	s.giveBack()
	reserved, _ := s.tryReserve(s.portion)
	return reserved
}

func TestSlotsGoToTheFirstQueueThatMayHaveMessages(t *testing.T) {
	all := ranked(2, 0, 1, 2)
	first, second, third := all.shares[0], all.shares[1], all.shares[2]
	require.Zero(t, mayReserve(second))
	require.Zero(t, mayReserve(third))
	require.Equal(t, 2, mayReserve(first))
	first.take()
	first.leave()
	require.Zero(t, mayReserve(third))
	require.Equal(t, 1, mayReserve(second))
	second.giveBack()
	first.comeBack()
	require.Zero(t, mayReserve(second))
	require.Equal(t, 1, mayReserve(first))
}

func TestSlotsAreSharedByWeight(t *testing.T) {
	all := weighted(1, 6, 3, 1)
	taken := make([]int, len(all.shares))
	for range 1000 {
		for i, s := range all.shares {
			if mayReserve(s) > 0 {
				s.take().finish()
				taken[i]++
				break
			}
		}
	}
	require.InDeltaSlice(t, []int{600, 300, 100}, taken, 2)
}

func TestQueuesOfARankShareWhatThoseBeforeThemLeave(t *testing.T) {
	all := ranked(1, 0, 1, 1)
	first, taken := all.shares[0], make([]int, len(all.shares))
	require.Zero(t, mayReserve(all.shares[1]))
	require.Zero(t, mayReserve(all.shares[2]))
	require.Equal(t, 1, mayReserve(first))
	used := first.take()
	first.leave()
	used.finish()
	for range 20 {
		for i, s := range all.shares[1:] {
			if mayReserve(s) > 0 {
				s.take().finish()
				taken[i+1]++
				break
			}
		}
	}
	require.Equal(t, []int{0, 10, 10}, taken)
}

func TestTasksThatTakeLongDoNotFillAllSlots(t *testing.T) {
	all := weighted(10, 6, 3, 1)
	var got []int
	for _, s := range all.shares {
		reserved := mayReserve(s)
		for range reserved {
			s.take()
		}
		got = append(got, reserved)
	}
	require.Equal(t, []int{6, 1, 1}, got)
}

func TestQueueDoesNotMakeUpForWhatItDidNotHave(t *testing.T) {
	all := weighted(1, 1, 1)
	busy, idle := all.shares[0], all.shares[1]
	idle.leave()
	for range 1000 {
		require.Equal(t, 1, mayReserve(busy))
		busy.take().finish()
	}
	idle.comeBack()
	taken := 0
	for range 10 {
		for _, s := range all.shares {
			if mayReserve(s) > 0 {
				s.take().finish()
				if s == idle {
					taken++
				}
				break
			}
		}
	}
	require.Equal(t, 5, taken)
}

// turnsOf returns how many of so many slots each share gets, one slot after the other.
func turnsOf(all *slots, turns int) []int {
	taken := make([]int, len(all.shares))
	for range turns {
		for i, s := range all.shares {
			if !s.away && mayReserve(s) > 0 {
				s.take().finish()
				taken[i]++
				break
			}
		}
	}
	return taken
}

func TestQueueThatIsBackFirstDoesNotKeepOthersFromTheSlots(t *testing.T) {
	for what, all := range map[string]*slots{
		"queues": weighted(1, 1, 1),
		"shards": newSlots(1, []queueShare{{name: "a", shardOf: "a", weight: 1}, {name: "b", shardOf: "a", weight: 1}}),
	} {
		busy, idle := all.shares[0], all.shares[1]
		idle.leave()
		require.Equal(t, []int{1000, 0}, turnsOf(all, 1000), what)
		busy.leave()
		idle.comeBack()
		busy.comeBack()
		require.Equal(t, []int{5, 5}, turnsOf(all, 10), what)
	}
}

// oneAndFourShards has a queue, and one of four shards, of the same weight.
func oneAndFourShards(free int) *slots {
	queues := []queueShare{{name: "other", shardOf: "other", weight: 1}}
	for _, name := range []string{"a", "b", "c", "d"} {
		queues = append(queues, queueShare{name: name, shardOf: "sharded", weight: 1})
	}
	return newSlots(free, queues)
}

func TestShardsShareThePortionOfTheirQueue(t *testing.T) {
	all := oneAndFourShards(8)
	require.Equal(t, 4, mayReserve(all.shares[0]))
	for range 4 {
		all.shares[0].take()
	}
	require.Equal(t, 1, mayReserve(all.shares[1]), "of the four that are left")
}

func TestShardsThatComeAndGoEmptyTakeNothingFromTheirQueue(t *testing.T) {
	all := oneAndFourShards(1)
	other, busy, empty := all.shares[0], all.shares[1], all.shares[2:]
	had := make(map[*share]int)
	for turn := range 100 {
		if turn%3 == 0 {
			for _, s := range empty {
				s.comeBack()
			}
		}
		next := slices.MinFunc([]*share{other, busy}, byTurn)
		next.reserved++
		next.take()
		had[next]++
		for _, s := range empty {
			s.leave()
		}
	}
	require.Equal(t, map[*share]int{other: 50, busy: 50}, had)
}

func TestMessageThatHasComeFindsNoSlotWhereOthersHaveThem(t *testing.T) {
	all := ranked(1, 0, 1)
	first, second := all.shares[0], all.shares[1]
	first.leave()
	second.leave()
	require.True(t, second.reserveOne())
	used := second.take()
	require.False(t, first.reserveOne())
	used.finish()
	require.True(t, first.reserveOne())
}

func TestReservingWaitsForASlotOrTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := ranked(1, 0)
		s := all.shares[0]
		stopping, stop := context.WithCancel(t.Context())
		require.Equal(t, 1, s.reserve(stopping.Done()))
		used := s.take()
		reserved := make(chan int)
		go func() { reserved <- s.reserve(stopping.Done()) }()
		synctest.Wait()
		used.finish()
		require.Equal(t, 1, <-reserved)
		s.take()
		go func() { reserved <- s.reserve(stopping.Done()) }()
		synctest.Wait()
		stop()
		require.Zero(t, <-reserved)
	})
}

func TestSlotsThatAreFreedAheadAreBounded(t *testing.T) {
	all := ranked(3, 0)
	s := all.shares[0]
	reserve := func(n int) {
		t.Helper()
		require.Equal(t, n, mayReserve(s))
	}
	reserve(3)
	first, second, third := s.take(), s.take(), s.take()
	reserve(0)
	first.freeAhead()
	first.freeAhead()
	reserve(1)
	fourth := s.take()
	second.freeAhead()
	reserve(1)
	fifth := s.take()
	third.freeAhead()
	reserve(0) // two are ahead
	first.finish()
	third.freeAhead()
	reserve(1)
	for _, used := range []*slot{second, third, fourth, fifth} {
		used.finish()
	}
	reserve(3)
	require.Zero(t, all.ahead)
}

func TestOnlySlotIsNotFreedAhead(t *testing.T) {
	all := ranked(1, 0)
	s := all.shares[0]
	require.Equal(t, 1, mayReserve(s))
	used := s.take()
	used.freeAhead()
	require.Zero(t, mayReserve(s))
	used.finish()
	require.Equal(t, 1, mayReserve(s))
}

// A goroutine that a task has left behind may write its end once more.
func TestSlotOfATaskThatHasEndedIsNotFreedAgain(t *testing.T) {
	all := ranked(2, 0)
	s := all.shares[0]
	require.Equal(t, 2, mayReserve(s))
	used := s.take()
	used.finish()
	used.freeAhead()
	require.Equal(t, 2, mayReserve(s))
	require.Zero(t, all.ahead)
}
