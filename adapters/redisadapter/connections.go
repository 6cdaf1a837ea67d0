package redisadapter

import (
	"log/slog"
	"reflect"
	"sync"

	"github.com/go-redis/redis/v8"
)

// blockingWaits counts the workers of this process that share a client, and those that wait in Redis for a message:
// each of these keeps a connection of the client's pool busy. The rest of the pool is left to all that must not wait.
type blockingWaits struct {
	pool int // connections; 0 where the client does not say

	mu      sync.Mutex
	workers int
	waiting int
}

// waitsOf has the waits of each client that workers use.
var waitsOf = struct {
	mu       sync.Mutex
	byClient map[redis.UniversalClient]*blockingWaits
}{byClient: make(map[redis.UniversalClient]*blockingWaits)}

// joinWaits counts a worker in, until it calls leave, and warns where the pool is too small for one more.
func joinWaits(client redis.UniversalClient, logger *slog.Logger) (waits *blockingWaits, leave func()) {
	if !reflect.TypeOf(client).Comparable() {
		return &blockingWaits{}, func() {}
	}
	waitsOf.mu.Lock()
	defer waitsOf.mu.Unlock()
	waits = waitsOf.byClient[client]
	if waits == nil {
		waits = &blockingWaits{pool: poolSize(client)}
		waitsOf.byClient[client] = waits
	}
	waits.workers++
	if waits.pool > 0 && waits.workers == waits.limit()+1 {
		logger.Warn("connection pool is too small: workers beyond half of it look for tasks once a second only",
			"workers", waits.workers, "pool", waits.pool)
	}
	return waits, func() {
		waitsOf.mu.Lock()
		defer waitsOf.mu.Unlock()
		if waits.workers--; waits.workers == 0 {
			delete(waitsOf.byClient, client)
		}
	}
}

// identityOf is what a client is known by, nil for one that cannot be compared.
func identityOf(client redis.UniversalClient) any {
	if client == nil || !reflect.TypeOf(client).Comparable() {
		return nil
	}
	return client
}

// limit is how many may wait at once.
func (w *blockingWaits) limit() int { return max(w.pool/2, 1) }

// begin reports whether a worker may wait. It calls end when it has.
func (w *blockingWaits) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pool > 0 && w.waiting >= w.limit() {
		return false
	}
	w.waiting++
	return true
}

func (w *blockingWaits) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
}

// poolSize returns how many connections a client opens, to each node; 0 where it does not say.
func poolSize(client redis.UniversalClient) int {
	switch client := client.(type) {
	case *redis.Client:
		return client.Options().PoolSize
	case *redis.ClusterClient:
		return client.Options().PoolSize
	case interface{ PoolSize() int }:
		return client.PoolSize()
	}
	return 0
}
