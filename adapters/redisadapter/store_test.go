package redisadapter_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func refOf(data []byte) string {
	digest := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(digest[:])
}

func TestStoreReturnsWhatWasPutIn(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		ctx := t.Context()
		store := redisadapter.NewStore(s.client, redisadapter.WithStorePrefix(s.prefix))
		random := make([]byte, 1<<20)
		_, _ = rand.Read(random)
		for _, data := range [][]byte{{}, []byte("payload"), {0, 255, '\r', '\n'}, random} {
			ref, err := store.Put(ctx, data)
			require.NoError(t, err)
			require.Equal(t, refOf(data), ref)
			got, err := store.Get(ctx, ref, len(data))
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
		}
	})
}

func TestPayloadOverTheLimitIsNotFetched(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		store := redisadapter.NewStore(s.client, redisadapter.WithStorePrefix(s.prefix))
		ref, err := store.Put(t.Context(), []byte("payload"))
		require.NoError(t, err)
		_, err = store.Get(t.Context(), ref, 6)
		require.ErrorIs(t, err, envelope.ErrLimit)
	})
}

func TestPayloadOverTheLimitIsNotStored(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redisadapter.NewStore(dial(t, server), redisadapter.WithStoreLimit(6))
	_, err := store.Put(t.Context(), []byte("payload"))
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.Empty(t, server.Keys())
	_, err = store.Put(t.Context(), []byte("payloa"))
	require.NoError(t, err)
}

func TestMissingPayloadIsAnErrorOfItsOwn(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		store := redisadapter.NewStore(s.client, redisadapter.WithStorePrefix(s.prefix))
		for _, data := range []string{"", "payload"} {
			_, err := store.Get(t.Context(), refOf([]byte(data)), 100)
			require.ErrorIs(t, err, envelope.ErrMissingPayload)
		}
	})
}

func TestChangedPayloadIsRefused(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		ctx := t.Context()
		store := redisadapter.NewStore(s.client, redisadapter.WithStorePrefix(s.prefix))
		data := []byte("payload")
		ref, err := store.Put(ctx, data)
		require.NoError(t, err)
		key := s.prefix + strings.TrimPrefix(ref, "sha256:")
		for _, changed := range []string{"", "Payload", "payload "} {
			require.NoError(t, s.client.Set(ctx, key, changed, time.Minute).Err())
			_, err = store.Get(ctx, ref, 100)
			require.ErrorIs(t, err, envelope.ErrMalformed)
		}
		_, err = store.Put(ctx, data)
		require.NoError(t, err)
		got, err := store.Get(ctx, ref, 100)
		require.NoError(t, err, "Put must not trust what is there already")
		require.Equal(t, data, got)
	})
}

func TestKeyOfAnotherKindIsRefused(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		ref := refOf([]byte("payload"))
		key := s.prefix + strings.TrimPrefix(ref, "sha256:")
		require.NoError(t, s.client.RPush(t.Context(), key, "payload").Err())
		_, err := redisadapter.NewStore(s.client, redisadapter.WithStorePrefix(s.prefix)).Get(t.Context(), ref, 100)
		require.ErrorIs(t, err, envelope.ErrMalformed)
	})
}

func TestEveryPutRenewsTheExpiry(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redisadapter.NewStore(dial(t, server), redisadapter.WithStoreExpiry(time.Hour))
	data := []byte("payload")
	ref, err := store.Put(t.Context(), data)
	require.NoError(t, err)
	server.FastForward(59 * time.Minute)
	_, err = store.Put(t.Context(), data)
	require.NoError(t, err)
	server.FastForward(59 * time.Minute)
	_, err = store.Get(t.Context(), ref, 100)
	require.NoError(t, err)
	server.FastForward(2 * time.Minute)
	_, err = store.Get(t.Context(), ref, 100)
	require.ErrorIs(t, err, envelope.ErrMissingPayload)
}

func TestPayloadsExpireAfterAWeekByDefaultAndNeverOnRequest(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := dial(t, server)
	for _, c := range []struct {
		options []redisadapter.StoreOption
		want    time.Duration
	}{
		{nil, 7 * 24 * time.Hour},
		{[]redisadapter.StoreOption{redisadapter.WithStoreExpiry(0)}, 0},
	} {
		ref, err := redisadapter.NewStore(client, c.options...).Put(t.Context(), []byte("payload"))
		require.NoError(t, err)
		require.Equal(t, c.want, server.TTL("machinery:payload:"+strings.TrimPrefix(ref, "sha256:")))
	}
}

func TestStoreReportsAnUnreachableRedis(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store := redisadapter.NewStore(client)
	_, err := store.Put(ctx, nil)
	require.Error(t, err)
	_, err = store.Get(ctx, refOf(nil), 100)
	require.Error(t, err)
	require.NotErrorIs(t, err, envelope.ErrMissingPayload)
}

// spy fails a test in which anything but the one expected key is asked for.
type spy struct {
	redis.UniversalClient
	key string
}

func (s spy) EvalSha(ctx context.Context, _ string, keys []string, _ ...any) *redis.Cmd {
	if len(keys) != 1 || keys[0] != s.key {
		panic("a reference led to another key")
	}
	return redis.NewCmdResult(nil, redis.Nil)
}

func FuzzRefLeadsToItsOwnKeyOrNowhere(f *testing.F) {
	valid := refOf([]byte("payload"))
	for _, seed := range []string{
		valid, "", "sha256:", strings.ToUpper(valid), valid + "0", valid[:len(valid)-1], "sha512" + valid[6:],
		" " + valid, valid + "\n", "sha256:" + strings.Repeat("g", 64), "sha256:{tasks}" + valid[14:], "sha256:" + strings.Repeat("\u0130", 32),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		hexadecimal := strings.TrimPrefix(ref, "sha256:")
		store := redisadapter.NewStore(spy{key: "machinery:payload:" + hexadecimal})
		_, err := store.Get(t.Context(), ref, 100)
		wellFormed := len(ref) == 71 && strings.HasPrefix(ref, "sha256:") && strings.Trim(hexadecimal, "0123456789abcdef") == ""
		if wellFormed {
			require.ErrorIs(t, err, envelope.ErrMissingPayload)
		} else {
			require.ErrorIs(t, err, envelope.ErrMalformed)
		}
	})
}
