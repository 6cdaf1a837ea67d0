package services

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	goredis "github.com/go-redis/redis/v8"
)

const masterName = "machinery"

// Sentinel is a Redis master with one replica, and the Sentinel that watches them.
type Sentinel struct {
	// Addresses are the Sentinel's, for redis.FailoverOptions as is MasterName.
	Addresses  []string
	MasterName string

	sentinel *process
	servers  []*process
}

// RedisSentinel returns a Sentinel that all tests of a test binary share, and which ends with the binary. Where there
// is no redis-server in PATH it skips the test, or fails it where CI=true.
func RedisSentinel(t testing.TB) *Sentinel {
	t.Helper()
	needRedisServer(t)
	s, err := sharedSentinel()
	if err != nil {
		t.Fatalf("start a Redis with Sentinel: %v", err)
	}
	return s
}

// OwnRedisSentinel is RedisSentinel for one test alone, which may kill the master.
func OwnRedisSentinel(t testing.TB) *Sentinel {
	t.Helper()
	needRedisServer(t)
	s, err := startSentinel()
	if err != nil {
		t.Fatalf("start a Redis with Sentinel: %v", err)
	}
	t.Cleanup(s.stop)
	return s
}

var sharedSentinel = sync.OnceValues(startSentinel)

func startSentinel() (*Sentinel, error) {
	ctx, cancel := context.WithTimeout(context.Background(), start)
	defer cancel()
	s := &Sentinel{MasterName: masterName}
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) start(ctx context.Context) error {
	master, err := startProcess(ctx, "save \"\"\nrepl-diskless-sync-delay 0\n")
	if err != nil {
		return err
	}
	s.servers = append(s.servers, master)
	replica, err := startProcess(ctx, fmt.Sprintf("save \"\"\nreplicaof 127.0.0.1 %d\n", master.port))
	if err != nil {
		return err
	}
	s.servers = append(s.servers, replica)
	// Only now: a Sentinel that finds no replica at first looks again ten seconds later.
	if err := await(ctx, func() error { return replicates(ctx, master) }); err != nil {
		return err
	}
	// A busy machine is no failover: KillMaster lowers the time after which a silent master counts as down.
	s.sentinel, err = startProcess(ctx, fmt.Sprintf(`sentinel monitor %[1]s 127.0.0.1 %[2]d 1
sentinel down-after-milliseconds %[1]s 60000
sentinel failover-timeout %[1]s 10000
`, masterName, master.port), "--sentinel")
	if err != nil {
		return err
	}
	s.Addresses = []string{s.sentinel.address()}
	return await(ctx, func() error { return s.knowsReplica(ctx) })
}

func (s *Sentinel) stop() {
	for _, server := range append(s.servers, s.sentinel) {
		if server != nil {
			server.kill()
		}
	}
}

// KillMaster kills the master at once, and returns when the Sentinel has put the replica in its place.
func (s *Sentinel) KillMaster(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), start)
	defer cancel()
	sentinel := s.dial()
	defer sentinel.Close()
	if err := sentinel.Set(ctx, s.MasterName, "down-after-milliseconds", "500").Err(); err != nil {
		t.Fatalf("kill the Redis master: %v", err)
	}
	s.servers[0].kill()
	replica := strconv.Itoa(s.servers[1].port)
	err := await(ctx, func() error {
		address, err := sentinel.GetMasterAddrByName(ctx, s.MasterName).Result()
		if err == nil && address[1] != replica {
			err = errors.New("the replica is not the master yet")
		}
		return err
	})
	if err != nil {
		t.Fatalf("kill the Redis master: %v", err)
	}
}

func (s *Sentinel) dial() *goredis.SentinelClient {
	return goredis.NewSentinelClient(&goredis.Options{Addr: s.sentinel.address()})
}

// knowsReplica tells why the Sentinel could not fail over yet.
func (s *Sentinel) knowsReplica(ctx context.Context) error {
	client := s.dial()
	defer client.Close()
	master, err := client.Master(ctx, s.MasterName).Result()
	if err != nil {
		return err
	}
	if master["num-slaves"] != "1" {
		return errors.New("the Sentinel does not know the replica yet")
	}
	return nil
}

// replicates tells why a master has no replica yet that is up to date. WAIT waits for the last write of its connection.
func replicates(ctx context.Context, master *process) error {
	client := master.dial()
	defer client.Close()
	var replicas *goredis.Cmd
	_, err := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.Set(ctx, "written", "", 0)
		replicas = pipe.Do(ctx, "wait", 1, 1000)
		return nil
	})
	if err == nil && replicas.Val() == int64(0) {
		err = errors.New("no replica yet")
	}
	return err
}
