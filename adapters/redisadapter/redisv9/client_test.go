package redisv9_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/auth"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestConnectionsAreSetUpAsV9Would(t *testing.T) {
	options, observer := realRedis(t)
	options.Username, options.Password = newUser(t, observer)
	options.DB, options.ClientName = 3, "name-"+rand.Text()
	var connected atomic.Int32
	options.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		connected.Add(1)
		return cn.Do(ctx, "client", "no-evict", "on").Err()
	}

	client := fromV9(t, redis.NewClient(options))

	info, err := client.Do(t.Context(), "client", "info").Text()
	require.NoError(t, err)
	require.Contains(t, info, "user="+options.Username+" ")
	require.Contains(t, info, "db=3 ")
	require.Contains(t, info, "name="+options.ClientName+" ")
	require.Contains(t, info, "flags=e ", "no-evict, which OnConnect asks for")
	require.EqualValues(t, 1, connected.Load())
}

func TestCredentialsProvidersAreAskedForEachConnection(t *testing.T) {
	options, observer := realRedis(t)
	username, password := newUser(t, observer)
	var asked int
	withContext, without := *options, *options
	withContext.CredentialsProviderContext = func(context.Context) (string, string, error) {
		asked++
		return username, password, nil
	}
	withContext.Username, withContext.DB = "ignored", 2
	without.CredentialsProvider = func() (string, string) {
		asked++
		return username, password
	}
	for _, options := range []*redis.Options{&withContext, &without} {
		asked = 0
		client := fromV9(t, redis.NewClient(options)).(*redisv8.Client)
		first, second := client.Conn(t.Context()), client.Conn(t.Context())
		for _, conn := range []*redisv8.Conn{first, second} {
			cmd := redisv8.NewStringCmd(t.Context(), "client", "info")
			require.NoError(t, conn.Process(t.Context(), cmd))
			info := cmd.Val()
			require.Contains(t, info, fmt.Sprintf("db=%d ", options.DB))
			require.Contains(t, info, "user="+username+" ")
		}
		require.Equal(t, 2, asked)
		require.NoError(t, first.Close())
		require.NoError(t, second.Close())
	}
}

func TestErrorOfTheSetUpIsThatOfTheCommand(t *testing.T) {
	options, _ := realRedis(t)
	noCredentials := errors.New("no credentials")
	refused, wrong := *options, *options
	refused.CredentialsProviderContext = func(context.Context) (string, string, error) { return "", "", noCredentials }
	wrong.Username, wrong.Password = "nobody", "wrong"

	require.ErrorIs(t, fromV9(t, redis.NewClient(&refused)).Ping(t.Context()).Err(), noCredentials)
	require.ErrorContains(t, fromV9(t, redis.NewClient(&wrong)).Ping(t.Context()).Err(), "WRONGPASS")
}

func TestTLSIsCarriedOver(t *testing.T) {
	address, configuration := services.RedisTLS(t)

	trusting := fromV9(t, redis.NewClient(&redis.Options{Addr: address, TLSConfig: configuration}))
	require.NoError(t, trusting.Set(t.Context(), "key", "value", 0).Err())
	require.Equal(t, "value", trusting.Get(t.Context(), "key").Val())

	plain := fromV9(t, redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1}))
	require.Error(t, plain.Ping(t.Context()).Err())
}

func TestDialerIsCarriedOver(t *testing.T) {
	options, _ := realRedis(t)
	address := options.Addr
	options.Addr = "redis.invalid:1"
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		require.Equal(t, "redis.invalid:1", addr)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	require.NoError(t, fromV9(t, redis.NewClient(options)).Ping(t.Context()).Err())
}

func TestTimeoutsRetriesAndPoolAreCarriedOver(t *testing.T) {
	v8 := fromV9(t, redis.NewClient(&redis.Options{
		MaxRetries: 7, MinRetryBackoff: time.Millisecond, MaxRetryBackoff: time.Second,
		DialTimeout: 2 * time.Second, ReadTimeout: 4 * time.Second, WriteTimeout: 5 * time.Second,
		PoolFIFO: true, PoolSize: 50, MaxActiveConns: 40, PoolTimeout: 6 * time.Second,
		ConnMaxIdleTime: time.Minute, ConnMaxLifetime: time.Hour,
	})).(*redisv8.Client).Options()

	require.Equal(t, 7, v8.MaxRetries)
	require.Equal(t, time.Millisecond, v8.MinRetryBackoff)
	require.Equal(t, time.Second, v8.MaxRetryBackoff)
	require.Equal(t, 2*time.Second, v8.DialTimeout)
	require.Equal(t, 4*time.Second, v8.ReadTimeout)
	require.Equal(t, 5*time.Second, v8.WriteTimeout)
	require.True(t, v8.PoolFIFO)
	require.Equal(t, 40, v8.PoolSize)
	require.Equal(t, 6*time.Second, v8.PoolTimeout)
	require.Equal(t, time.Minute, v8.IdleTimeout)
	require.Equal(t, time.Hour, v8.MaxConnAge)
}

func TestDefaultsAndWhatIsSwitchedOffAreThoseOfV9(t *testing.T) {
	off := fromV9(t, redis.NewClient(&redis.Options{
		MaxRetries: -1, MinRetryBackoff: -1, MaxRetryBackoff: -1, ReadTimeout: -1, WriteTimeout: -2, ConnMaxIdleTime: -1,
	})).(*redisv8.Client).Options()
	require.Zero(t, off.MaxRetries)
	require.Zero(t, off.MinRetryBackoff)
	require.Zero(t, off.MaxRetryBackoff)
	require.Zero(t, off.ReadTimeout)
	require.Zero(t, off.WriteTimeout)
	require.Negative(t, off.IdleTimeout)

	v9 := redis.NewClient(&redis.Options{})
	v8 := fromV9(t, v9).(*redisv8.Client).Options()
	require.Equal(t, v9.Options().MaxRetries, v8.MaxRetries)
	require.Equal(t, v9.Options().PoolSize, v8.PoolSize)
	require.Equal(t, v9.Options().ReadTimeout, v8.ReadTimeout)
	require.Equal(t, v9.Options().ConnMaxIdleTime, v8.IdleTimeout)

	cluster := fromV9(t, redis.NewClusterClient(&redis.ClusterOptions{MaxRedirects: -1})).(*redisv8.ClusterClient).Options()
	require.Zero(t, cluster.MaxRedirects)
	require.Equal(t, v9.Options().ConnMaxIdleTime, cluster.IdleTimeout)
}

func TestUniversalClientOfOneAddressIsASingleClient(t *testing.T) {
	options, _ := realRedis(t)
	client := fromV9(t, redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{options.Addr}, Username: options.Username, Password: options.Password,
	}))
	require.IsType(t, &redisv8.Client{}, client)
	require.NoError(t, client.Ping(t.Context()).Err())
}

type wrapped struct{ redis.UniversalClient }

type streaming struct {
	auth.StreamingCredentialsProvider
}

func TestWhatCannotBeCarriedOverIsAnErrorThatNamesIt(t *testing.T) {
	newNode := func(options *redis.Options) *redis.Client { return redis.NewClient(options) }
	clients := map[string]redis.UniversalClient{
		"Ring":                              redis.NewRing(&redis.RingOptions{}),
		"redisv9_test.wrapped":              wrapped{redis.NewClient(&redis.Options{})},
		"nil *redis.Client":                 (*redis.Client)(nil),
		"nil *redis.ClusterClient":          (*redis.ClusterClient)(nil),
		"<nil>":                             nil,
		"StreamingCredentialsProvider":      redis.NewClient(&redis.Options{StreamingCredentialsProvider: streaming{}}),
		"StreamingCredentialsProvider: set": redis.NewClusterClient(&redis.ClusterOptions{StreamingCredentialsProvider: streaming{}}),
		"ClusterOptions.NewClient":          redis.NewClusterClient(&redis.ClusterOptions{NewClient: newNode}),
	}
	for name, client := range clients {
		_, err := redisv9.ClientFromV9(client)
		require.ErrorIs(t, err, redisv9.ErrUnsupported, name)
		require.ErrorContains(t, err, name)
		if client != nil && !strings.HasPrefix(name, "nil ") {
			require.NoError(t, client.Close())
		}
	}
}
