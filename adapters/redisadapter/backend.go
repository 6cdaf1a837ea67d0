package redisadapter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"
)

// BackendOption changes how a backend works. There are none yet.
type BackendOption func(*backend)

// backend implements Machinery's Backend. Machinery gives it no context: how long a call may take is up to the
// client's timeouts.
type backend struct {
	common.Backend
	client redis.UniversalClient
	expiry time.Duration
}

// NewBackend returns a backend that keeps states and groups in Redis, where Machinery's own Redis backends keep them:
// as JSON under the UUID of the task or the group.
//
// Of cnf it uses ResultsExpireIn, the seconds after which a state or a group is forgotten unless written again
// (default config.DefaultResultsExpireIn, an hour).
//
// Errors of its methods wrap those of the client: a task or a group that is not there, or no longer, is redis.Nil.
func NewBackend(cnf *config.Config, client redis.UniversalClient, opts ...BackendOption) backendsiface.Backend {
	b := &backend{
		Backend: common.NewBackend(cnf),
		client:  client,
		expiry:  resultExpiry(cnf),
	}
	for _, option := range opts {
		option(b)
	}
	return b
}

// write stores value under key, with the client or as part of a transaction.
func (b *backend) write(ctx context.Context, to redis.Cmdable, key string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := to.Set(ctx, key, encoded, b.expiry).Err(); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

func (b *backend) purge(key string) error {
	if err := b.client.Del(context.Background(), key).Err(); err != nil {
		return fmt.Errorf("purge %s: %w", key, err)
	}
	return nil
}
