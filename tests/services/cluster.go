package services

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	masters = 3
	slots   = 16384
)

// RedisCluster returns the addresses of the three masters of a Redis Cluster. All tests of a test binary share it, and
// it ends with the binary. Where there is no redis-server in PATH it skips the test, or fails it where CI=true.
func RedisCluster(t testing.TB) []string {
	t.Helper()
	needRedisServer(t)
	nodes, err := cluster()
	if err != nil {
		t.Fatalf("start a Redis Cluster: %v", err)
	}
	var addresses []string
	for _, node := range nodes {
		addresses = append(addresses, node.address())
	}
	return addresses
}

// cluster keeps the processes: a pipe that nothing refers to is closed, and its server killed.
var cluster = sync.OnceValues(startCluster)

func startCluster() ([]*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), start)
	defer cancel()
	var nodes []*process
	for range masters {
		node, err := startProcess(ctx, "cluster-enabled yes\nsave \"\"\n")
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	for i, node := range nodes {
		if err := node.join(ctx, i, nodes[0]); err != nil {
			return nil, err
		}
	}
	for _, node := range nodes {
		if err := await(ctx, func() error { return node.isWhole(ctx) }); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// join gives a master its share of the slots and makes it known to the first.
func (p *process) join(ctx context.Context, index int, first *process) error {
	client := p.dial()
	defer client.Close()
	if err := client.ClusterAddSlotsRange(ctx, index*slots/masters, (index+1)*slots/masters-1).Err(); err != nil {
		return err
	}
	if err := client.Do(ctx, "cluster", "set-config-epoch", index+1).Err(); err != nil {
		return err
	}
	if p == first {
		return nil
	}
	return client.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(first.port)).Err()
}

// isWhole tells why a master does not see the whole cluster yet.
func (p *process) isWhole(ctx context.Context) error {
	client := p.dial()
	defer client.Close()
	info, err := client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_size:%d", masters)} {
		if !strings.Contains(info, want+"\r\n") {
			return errors.New("not yet " + want)
		}
	}
	return nil
}
