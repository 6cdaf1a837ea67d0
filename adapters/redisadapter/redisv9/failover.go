package redisv9

import (
	"context"
	"strings"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
)

// FailoverClientFromV9 makes a go-redis v8 client that finds its master by Sentinel, as redis.NewFailoverClient of v9
// does with these options. It sends nothing.
//
// Errors wrap ErrUnsupported and name the option: StreamingCredentialsProvider; OnConnect, which ClientFromV9 carries
// over; ReplicaOnly, RouteByLatency and RouteRandomly, because Machinery writes, and reads what it has just written.
// DisableIdentity and IdentitySuffix have no effect: go-redis v8 does not introduce itself.
func FailoverClientFromV9(o *redis.FailoverOptions) (*redisv8.Client, error) {
	if err := checkFailover(o); err != nil {
		return nil, err
	}
	options := &redisv8.FailoverOptions{
		MasterName:            o.MasterName,
		SentinelAddrs:         o.SentinelAddrs,
		SentinelUsername:      o.SentinelUsername,
		SentinelPassword:      o.SentinelPassword,
		UseDisconnectedSlaves: o.UseDisconnectedReplicas,

		Dialer:    o.Dialer,
		OnConnect: onConnect(o),
		TLSConfig: o.TLSConfig,

		MaxRetries:      o.MaxRetries,
		MinRetryBackoff: o.MinRetryBackoff,
		MaxRetryBackoff: o.MaxRetryBackoff,

		DialTimeout:  o.DialTimeout,
		ReadTimeout:  max(o.ReadTimeout, -1), // -2 is another kind of none
		WriteTimeout: max(o.WriteTimeout, -1),

		PoolFIFO:     o.PoolFIFO,
		PoolSize:     poolSize(o.PoolSize, o.MaxActiveConns),
		PoolTimeout:  o.PoolTimeout,
		MinIdleConns: o.MinIdleConns,
		IdleTimeout:  orDefaultIdleTime(o.ConnMaxIdleTime),
		MaxConnAge:   o.ConnMaxLifetime,
	}
	if credentials(o) == nil {
		options.Username, options.Password, options.DB = o.Username, o.Password, o.DB
	}
	return redisv8.NewFailoverClient(options), nil
}

func checkFailover(o *redis.FailoverOptions) error {
	switch {
	case o == nil:
		return unsupported("nil options", "give those of the failover client")
	case o.OnConnect != nil:
		return unsupported("OnConnect", "ClientFromV9 of a failover client carries it over")
	case o.ReplicaOnly:
		return unsupported("ReplicaOnly", "a replica takes no writes; leave it unset")
	case o.RouteByLatency:
		return unsupported("RouteByLatency", "replicas lag behind; leave it unset")
	case o.RouteRandomly:
		return unsupported("RouteRandomly", "replicas lag behind; leave it unset")
	}
	return checkStreaming(o.StreamingCredentialsProvider)
}

type provider func(ctx context.Context) (username, password string, err error)

// credentials returns the provider that v9 would ask, nil where the user and password are fixed.
func credentials(o *redis.FailoverOptions) provider {
	if o.CredentialsProviderContext != nil {
		return o.CredentialsProviderContext
	}
	if o.CredentialsProvider == nil {
		return nil
	}
	return func(context.Context) (string, string, error) {
		username, password := o.CredentialsProvider()
		return username, password, nil
	}
}

// onConnect sets up what v8 has no options for: the client name, and credentials of a provider. Those are for Redis
// servers, while v8 calls it for connections to Sentinel too.
func onConnect(o *redis.FailoverOptions) func(context.Context, *redisv8.Conn) error {
	provide := credentials(o)
	if provide == nil && o.ClientName == "" {
		return nil
	}
	return func(ctx context.Context, conn *redisv8.Conn) error {
		if provide != nil && !isToSentinel(conn) {
			if err := authenticate(ctx, conn, provide, o.DB); err != nil {
				return err
			}
		}
		if o.ClientName == "" {
			return nil
		}
		return conn.ClientSetName(ctx, o.ClientName).Err()
	}
}

// isToSentinel reports whether v8 made a connection to ask Sentinel. It names the others after the kind of client, as
// their options have no address.
func isToSentinel(conn *redisv8.Conn) bool {
	return !strings.HasPrefix(conn.String(), "Redis<FailoverClient ")
}

// authenticate selects the database too: v8 would before there are credentials.
func authenticate(ctx context.Context, conn *redisv8.Conn, provide provider, db int) error {
	username, password, err := provide(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Pipelined(ctx, func(pipe redisv8.Pipeliner) error {
		if username == "" && password != "" {
			pipe.Auth(ctx, password)
		}
		if username != "" {
			pipe.AuthACL(ctx, username, password)
		}
		if db > 0 {
			pipe.Select(ctx, db)
		}
		return nil
	})
	return err
}
