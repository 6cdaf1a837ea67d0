package redisadapter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestMissingRightsToShardsAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	f := newFeatures(t, documentedRights(t, queuesOfTests, delayedOfTests), 10*time.Second)
	broker := redisadapter.NewBroker(f.cnf, f.user, redisadapter.WithLogger(f.log.Logger()), redisadapter.WithShards(3))
	work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return nil }})
	eventually(t, func() bool { return len(f.log.Lines("does not permit keys")) > 0 })
	shards := redisadapter.ShardNames(f.cnf.DefaultQueue, 3)[1:]
	want := []string{shards[0], shards[0] + ":check", shards[1], shards[1] + ":check"}
	require.Contains(t, f.log.Lines("does not permit keys")[0], fmt.Sprintf("keys=%q", strings.Join(want, " ")))
}

func TestDocumentedRightsToShardsAreEnough(t *testing.T) {
	t.Parallel()
	rights := documentedRights(t, queuesOfTests, delayedOfTests)
	rights = append(rights, "~{shard-*}:"+queuesOfTests, "~{shard-*}:"+queuesOfTests+":*")
	f := newFeatures(t, rights, 10*time.Second)
	broker := redisadapter.NewBroker(f.cnf, f.user, redisadapter.WithLogger(f.log.Logger()), redisadapter.WithShards(4))
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	work(t, broker, 4, &processor{Func: seen.Add})
	publish(t, broker, numberedTasks(40)...)
	seen.Await(t, uuidsOf(numberedTasks(40))...)
	require.Empty(t, f.log.Lines("does not permit"))
}
