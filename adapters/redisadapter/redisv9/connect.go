package redisv9

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// smallBuffer is enough for the few commands that set a connection up. The default is 256 KiB.
	smallBuffer = 4 << 10
	// defaultDialTimeout is that of go-redis v9. ClusterOptions hold zero where it applies.
	defaultDialTimeout = 5 * time.Second
)

// errReady ends the set-up of a connection before v9 sends the command for which it was opened.
var errReady = errors.New("connection is set up")

// borrowed is a connection that go-redis v9 sets up and must not close.
type borrowed struct{ net.Conn }

func (borrowed) Close() error { return nil }

// dialer returns a function that has go-redis v9 open connections and set them up, with what v8 has no options for.
// They are then as v9 uses them, but for RESP2.
func dialer(o *redis.Options) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := o.Dialer(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if err := setUp(ctx, o, conn); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

func setUp(ctx context.Context, o *redis.Options, conn net.Conn) error {
	client := redis.NewClient(&redis.Options{
		Addr:                       o.Addr,
		ClientName:                 o.ClientName,
		Protocol:                   2,
		Username:                   o.Username,
		Password:                   o.Password,
		CredentialsProvider:        o.CredentialsProvider,
		CredentialsProviderContext: o.CredentialsProviderContext,
		DB:                         o.DB,
		MaxRetries:                 -1,
		ReadTimeout:                orNone(o.ReadTimeout),
		WriteTimeout:               orNone(o.WriteTimeout),
		ContextTimeoutEnabled:      true,
		ReadBufferSize:             smallBuffer,
		WriteBufferSize:            smallBuffer,
		PoolSize:                   1,
		//lint:ignore SA1019 applications that set the older name of the option go on doing so
		DisableIdentity: o.DisableIdentity || o.DisableIndentity,
		IdentitySuffix:  o.IdentitySuffix,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return borrowed{conn}, nil
		},
		OnConnect: func(ctx context.Context, cn *redis.Conn) error {
			if o.OnConnect == nil {
				return errReady
			}
			if err := o.OnConnect(ctx, cn); err != nil {
				return err
			}
			return errReady
		},
	})
	defer client.Close()
	if err := client.Ping(ctx).Err(); !errors.Is(err, errReady) {
		return fmt.Errorf("set up a connection to redis: %w", err)
	}
	return conn.SetDeadline(time.Time{})
}

// nodeOptions are those that hold for the connections to each node of a cluster.
func nodeOptions(o *redis.ClusterOptions) *redis.Options {
	node := &redis.Options{
		ClientName:                 o.ClientName,
		Dialer:                     o.Dialer,
		OnConnect:                  o.OnConnect,
		Username:                   o.Username,
		Password:                   o.Password,
		CredentialsProvider:        o.CredentialsProvider,
		CredentialsProviderContext: o.CredentialsProviderContext,
		DialTimeout:                o.DialTimeout,
		ReadTimeout:                o.ReadTimeout,
		WriteTimeout:               o.WriteTimeout,
		TLSConfig:                  o.TLSConfig,
		DisableIdentity:            o.DisableIdentity,
		IdentitySuffix:             o.IdentitySuffix,
	}
	if node.DialTimeout == 0 {
		node.DialTimeout = defaultDialTimeout
	}
	if node.Dialer == nil {
		node.Dialer = redis.NewDialer(node)
	}
	return node
}
