package redisadapter

import (
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
)

// newEndingChord returns a backend with a chord of two members.
func newEndingChord(t *testing.T) (*backend, *miniredis.Miniredis, []*tasks.Signature) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	b := NewBackend(&config.Config{}, client, WithRetryTimeout(0), WithCallbackTimeout(0)).(*backend)
	callback := &tasks.Signature{UUID: "callback"}
	members := make([]*tasks.Signature, 2)
	for i := range members {
		members[i] = &tasks.Signature{UUID: fmt.Sprint(i), GroupUUID: "group", GroupTaskCount: 2, ChordCallback: callback}
	}
	sendChord(t, b, members)
	return b, server, members
}

func sendChord(t *testing.T, b *backend, members []*tasks.Signature) {
	t.Helper()
	require.NoError(t, b.InitGroup("group", []string{"0", "1"}))
	for _, member := range members {
		require.NoError(t, b.SetStatePending(member))
	}
}

// succeed ends a member, and reports whether its worker is to send the callback.
func succeed(t *testing.T, b *backend, member *tasks.Signature) bool {
	t.Helper()
	require.NoError(t, b.SetStateSuccess(member, nil))
	completed, err := b.GroupCompleted(member.GroupUUID, 2)
	require.NoError(t, err)
	if !completed {
		return false
	}
	triggered, err := b.TriggerChord(member.GroupUUID)
	require.NoError(t, err)
	return triggered
}

func TestNothingIsKeptOfAChordThatHasEnded(t *testing.T) {
	t.Parallel()
	b, _, members := newEndingChord(t)
	require.False(t, succeed(t, b, members[0]))
	require.Empty(t, b.ending.byGroup)
	require.True(t, succeed(t, b, members[1]))
	_, err := b.GroupTaskStates("group", 2)
	require.NoError(t, err)
	require.Empty(t, b.ending.byGroup)
}

// Machinery forgets the error of GroupTaskStates, and with it the callback.
func TestStatesOfAChordThatIsCompletedAnewAreAtHandInAnOutage(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*testing.T, *backend, []*tasks.Signature){
		"after a member has run again": func(*testing.T, *backend, []*tasks.Signature) {},
		"after another process has sent it again": func(t *testing.T, b *backend, members []*tasks.Signature) {
			other := NewBackend(&config.Config{}, b.client).(*backend)
			sendChord(t, other, members)
			require.False(t, succeed(t, other, members[0]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, server, members := newEndingChord(t)
			require.False(t, succeed(t, b, members[0]))
			require.True(t, succeed(t, b, members[1]))
			_, err := b.GroupTaskStates("group", 2)
			require.NoError(t, err)
			before(t, b, members)
			require.True(t, succeed(t, b, members[1]))
			server.SetError("LOADING")
			states, err := b.GroupTaskStates("group", 2)
			require.NoError(t, err)
			require.Len(t, states, 2)
		})
	}
}
