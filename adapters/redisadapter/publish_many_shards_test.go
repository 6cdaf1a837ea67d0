package redisadapter_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestManyTasksAreSpreadOverTheShardsOfTheirQueue(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		m := s.middleware(t, redisadapter.WithShards(4))
		signatures, _ := s.many(400)
		results, err := m.SendTasks(t.Context(), signatures...)
		require.NoError(t, err)
		var sent []int
		for _, shard := range redisadapter.ShardNames(s.cnf.DefaultQueue, 4) {
			var places []int
			for _, signature := range queuedIn(t, s, shard) {
				place, err := strconv.Atoi(strings.TrimPrefix(signature.UUID, s.name+"-"))
				require.NoError(t, err)
				places = append(places, place)
			}
			require.NotEmpty(t, places, shard)
			require.IsIncreasing(t, places, "the order in which they were given")
			sent = append(sent, places...)
		}
		slices.Sort(sent)
		require.Len(t, slices.Compact(sent), 400)
		for _, result := range results {
			require.Equal(t, tasks.StatePending, result.GetState().State)
		}
	})
}

// queuedIn returns the tasks of a list.
func queuedIn(t *testing.T, s *site, list string) []*tasks.Signature {
	t.Helper()
	var signatures []*tasks.Signature
	for _, body := range s.list(t, list) {
		signature := new(tasks.Signature)
		require.NoError(t, json.Unmarshal([]byte(body), signature))
		signatures = append(signatures, signature)
	}
	return signatures
}
