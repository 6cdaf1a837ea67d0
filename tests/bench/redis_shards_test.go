package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

const (
	// benchShards is the number of lists of each sub-benchmark: as many for each number of masters.
	benchShards = 6
	// shardSenders and shardWorkers keep three masters busy.
	shardSenders, shardWorkers = 32, 64
)

// BenchmarkRedisShards is the throughput of one queue on a Redis Cluster of three masters, whose tasks lie in six lists on
// one, two or three of them; and of one list, and of six by WithShards.
func BenchmarkRedisShards(b *testing.B) {
	for masters := 1; masters <= 3; masters++ {
		benchmarkShards(b, fmt.Sprintf("masters=%d", masters), func(b *testing.B, site *shardSite) {
			site.queues = site.on(b, masters)
		})
	}
	for _, shards := range []int{1, benchShards} {
		benchmarkShards(b, fmt.Sprintf("shards=%d", shards), func(_ *testing.B, site *shardSite) {
			site.options = []redisadapter.BrokerOption{redisadapter.WithShards(shards)}
		})
	}
}

// benchmarkShards times sends, and then how they are done.
func benchmarkShards(b *testing.B, name string, prepare func(*testing.B, *shardSite)) {
	b.Run("op=send/"+name, func(b *testing.B) {
		site := newShardSite(b)
		prepare(b, site)
		server := site.server(b)
		report := site.startBusiest(b)
		b.ResetTimer()
		site.sendAll(b, server)
		b.StopTimer()
		report()
	})
	b.Run("op=done/"+name, func(b *testing.B) {
		site := newShardSite(b)
		prepare(b, site)
		server := site.server(b)
		var running sync.WaitGroup
		running.Add(b.N)
		if err := server.RegisterTask("task", func(int64) error { running.Done(); return nil }); err != nil {
			b.Fatal(err)
		}
		site.sendAll(b, server)
		report := site.startBusiest(b)
		b.ResetTimer()
		launchWith(b, server, shardWorkers)
		running.Wait()
		b.StopTimer()
		report()
	})
}

// shardSite has queues in a Cluster that nothing else uses.
type shardSite struct {
	client  *redis.ClusterClient
	name    string
	queues  []string // to which tasks are sent in turn; the default queue where there are none
	options []redisadapter.BrokerOption
}

func newShardSite(b *testing.B) *shardSite {
	b.Helper()
	site := &shardSite{
		client: redisadapter.NewClusterClient(&redis.ClusterOptions{Addrs: services.RedisCluster(b), PoolSize: 2 * shardWorkers}),
		name:   newConfig().DefaultQueue,
	}
	b.Cleanup(func() {
		_ = site.client.ForEachMaster(context.Background(), func(ctx context.Context, node *redis.Client) error {
			return node.FlushAll(ctx).Err()
		})
		_ = site.client.Close()
	})
	return site
}

// startBusiest returns what reports how long the busiest master has computed for a task since.
func (s *shardSite) startBusiest(b *testing.B) (report func()) {
	b.Helper()
	before := s.cpu(b)
	return func() {
		var most time.Duration
		for master, cpu := range s.cpu(b) {
			most = max(most, cpu-before[master])
		}
		b.ReportMetric(most.Seconds()/float64(b.N), busiestUnit)
	}
}

// cpu is how long each master has computed.
func (s *shardSite) cpu(b *testing.B) map[string]time.Duration {
	b.Helper()
	var mu sync.Mutex
	all := make(map[string]time.Duration)
	err := s.client.ForEachMaster(context.Background(), func(_ context.Context, node *redis.Client) error {
		cpu := redisCPU(b, node)
		mu.Lock()
		defer mu.Unlock()
		all[node.Options().Addr] = cpu
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// on returns the names of queues that lie on so many masters, as many on each.
func (s *shardSite) on(b *testing.B, masters int) []string {
	b.Helper()
	var chosen []string
	queues := make(map[string][]string)
	for i := 0; len(chosen) < masters || slices.ContainsFunc(chosen, func(m string) bool {
		return len(queues[m]) < benchShards/masters
	}); i++ {
		queue := fmt.Sprintf("%s-%d", s.name, i)
		node, err := s.client.MasterForKey(b.Context(), queue)
		if err != nil {
			b.Fatal(err)
		}
		master := node.Options().Addr
		if len(chosen) < masters && !slices.Contains(chosen, master) {
			chosen = append(chosen, master)
		}
		queues[master] = append(queues[master], queue)
	}
	var names []string
	for _, master := range chosen {
		names = append(names, queues[master][:benchShards/masters]...)
	}
	return names
}

// server has a broker that takes from all queues in equal shares.
func (s *shardSite) server(b *testing.B) *machinery.Server {
	b.Helper()
	cnf := newConfig()
	cnf.DefaultQueue, cnf.Redis.DelayedTasksKey = s.name, s.name+"-delayed"
	options := s.options
	if s.queues != nil {
		weights := make(map[string]int)
		for _, queue := range s.queues {
			weights[queue] = 1
		}
		options = append(options, redisadapter.WithQueueWeights(weights))
	}
	broker := redisadapter.NewBroker(cnf, s.client, options...)
	return machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, s.client), eagerlock.New())
}

// sendAll sends b.N tasks, from many goroutines, to the queues in turn.
func (s *shardSite) sendAll(b *testing.B, server *machinery.Server) {
	b.Helper()
	var sending sync.WaitGroup
	for sender := range shardSenders {
		sending.Go(func() {
			for i := sender; i < b.N; i += shardSenders {
				signature := &tasks.Signature{Name: "task", Args: []tasks.Arg{{Type: "int64", Value: int64(1)}}}
				if s.queues != nil {
					signature.RoutingKey = s.queues[i%len(s.queues)]
				}
				if _, err := server.SendTask(signature); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	sending.Wait()
}
