// Package redisv9 makes the go-redis v8 client that redisadapter takes from what an application has of go-redis v9:
//
//	client, err := redisv9.ClientFromV9(v9Client) // *redis.Client or *redis.ClusterClient
//	broker := redisadapter.NewBroker(cnf, client)
//
// The new client has connections and a pool of its own. The two share no more than the options, which hold what is said
// of both, so it is closed on its own: the client of v9 may be closed before or after it. One exception is a failover
// client, below.
//
// # What is carried over
//
// Connections are opened and set up by go-redis v9 itself, with the dialer, TLS configuration, user, password,
// CredentialsProvider, CredentialsProviderContext, database, client name, identity and OnConnect of the options.
// Providers are asked again for each connection. Addresses, timeouts, retries, back-off, Limiter, ClusterSlots and the
// pool's sizes and ages are given to v8; PoolSize is lowered to MaxActiveConns, which bounds v9's pool.
//
// # What is not
//
// These are errors that wrap ErrUnsupported and name the option: StreamingCredentialsProvider (v8 cannot authenticate a
// connection again; CredentialsProviderContext can take its place), ClusterOptions.NewClient, Ring, and any
// redis.UniversalClient that is not go-redis' own.
//
// These have no effect on the new client:
//   - Hooks that were added by AddHook. v8 has hooks of its own.
//   - ReadOnly, RouteByLatency and RouteRandomly: it reads from masters only, because Machinery reads what it has just
//     written, and replicas lag behind.
//   - Protocol and UnstableResp3: v8 speaks RESP2.
//   - ContextTimeoutEnabled: v8 respects contexts always.
//   - MaxIdleConns, ReadBufferSize and WriteBufferSize. Idle connections end after ConnMaxIdleTime.
//
// # Sentinel
//
// The options of a failover client hide the names and addresses of Sentinel. What they show is a dialer that asks
// Sentinel for the master, so ClientFromV9 makes a client that connects to the master of the moment, and follows a
// failover as soon as the old connections fail. It needs the client of v9 to stay open. FailoverClientFromV9 takes the
// redis.FailoverOptions instead: its client asks Sentinel itself, and drops its connections to the old master as soon
// as Sentinel says that there is a new one, even where the old one can still be reached. Prefer it where you have the
// options.
package redisv9
