package security_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// joinWithout is join with the dead letters of the adapter.
func (s *site) joinWithout(t *testing.T, opts ...middleware.Option) (*party, deadletter.Store) {
	p := &party{server: s.newServer()}
	store := p.server.GetBroker().(middleware.DeadLetterBroker).DeadLetters().(deadletter.Store)
	var err error
	p.Middleware, err = middleware.Install(p.server, registry(t), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = store.DropAll(context.Background()) })
	return p, store
}

func awaitStored(t *testing.T, store deadletter.Store, n int) []deadletter.Letter {
	require.Eventually(t, func() bool {
		count, err := store.Count(t.Context())
		return err == nil && count >= n
	}, timeout, 5*time.Millisecond)
	var letters []deadletter.Letter
	for letter, err := range store.All(t.Context()) {
		require.NoError(t, err)
		letters = append(letters, letter)
	}
	return letters
}

// SECURITY.md: makes a worker take memory out of proportion to a message
func TestAHostileMessageIsKeptAsItCame(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		mac := newMACKeys(t).signing(t)
		worker, store := s.joinWithout(t, mac)
		require.NoError(t, worker.RegisterTask("pay", func(Order) error { return nil }))
		worker.launch(t)
		unsigned := newTask("pay", `{"$envelope":1,"type":"shop.Order","data":{}}`)
		messages := []string{
			`{"Name":"pay","OnSuccess":[` + strings.Repeat(`{},`, 4<<20/3) + `{}]}`,
			`{ "Name":"pay", "UUID":"` + unsigned.UUID + `", "Unknown":[1.0, "\u0041"], "name":"pay" }`,
			`{"Name":"pay","Args":[{"Type":"string","Value":1e2}],"Headers":{"envelope-signature":"1 1 - AAAA"},"X":null}`,
		}
		for _, message := range messages {
			s.push(t, []byte(message))
		}
		var kept []string
		for _, letter := range awaitStored(t, store, len(messages)) {
			kept = append(kept, string(letter.Body))
		}
		for _, message := range messages {
			if !assert.Contains(t, kept, message) {
				t.Logf("%.200s", message)
			}
		}
		_, err := await[struct{}](t, worker, result.NewAsyncResult(unsigned, worker.server.GetBackend()))
		assert.ErrorIs(t, err, middleware.ErrUnsigned, "the sender learns why")
	})
}

// Four megabytes that say {} again and again, unsigned, are held a few times, by the embedded Redis too, and no more.
func TestAHostileMessageDoesNotFillTheMemory(t *testing.T) {
	s := sites["embedded redis"](t)
	worker, store := s.joinWithout(t, newMACKeys(t).signing(t))
	require.NoError(t, worker.RegisterTask("pay", func(Order) error { return nil }))
	worker.launch(t)
	message := []byte(`{"Name":"pay","OnSuccess":[` + strings.Repeat(`{},`, 4<<20/3) + `{}]}`)
	runtime.GC()
	before := heap()
	var peak atomic.Uint64
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				peak.Store(max(peak.Load(), heap()))
			}
		}
	}()
	s.push(t, message)
	letters := awaitStored(t, store, 1)
	close(stop)
	assert.Equal(t, len(message), len(letters[0].Body))
	used := int(peak.Load() - min(before, peak.Load()))
	t.Logf("a message of %d bytes took %d at most", len(message), used)
	assert.Less(t, used, 20*len(message))
}

// heap returns how many bytes are in use, or were and are not free yet.
func heap() uint64 {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}
