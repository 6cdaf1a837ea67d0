package security_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A worker lacks the key of some tasks. When workers have it, the adapter's dead letters are sent again: what is
// genuine runs, what is forged is refused again.
func TestDeadLettersAreReplayedWithTheirSignatures(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		keys := newMACKeys(t)
		letters := s.newDeadLetters(t)
		producer := s.join(t, registry(t), keys.signing(t))
		eta := time.Now().Add(200 * time.Millisecond)
		for i, id := range []string{"o-1", "o-2"} {
			genuine, err := producer.Signature(t.Context(), "pay", Order{ID: id})
			require.NoError(t, err)
			genuine.ETA = []*time.Time{nil, &eta}[i]
			_, err = producer.SendTask(t.Context(), genuine)
			require.NoError(t, err)
		}
		forgery := newTask("pay", `{"$envelope":1,"type":"shop.Order","data":{"ID":"forged","Card":""}}`)
		forgery.RoutingKey = s.cnf.DefaultQueue
		s.push(t, marshal(t, forgery))

		late := s.join(t, registry(t), newMACKeys(t).signing(t))
		require.NoError(t, late.RegisterTask("pay", func(Order) error { return nil }))
		quit := late.work(t)
		_, reasons := late.dead.await(t, 3)
		quit()
		refused, _ := late.dead.all()
		for i, letter := range refused {
			require.NoError(t, letters.Push(t.Context(), letter, reasons[i]))
		}

		worker := s.join(t, registry(t), keys.signing(t))
		paid := make(chan string, 10)
		require.NoError(t, worker.RegisterTask("pay", func(o Order) error { paid <- o.ID; return nil }))
		n, err := letters.ReplayAll(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		worker.launch(t)
		assert.ElementsMatch(t, []string{"o-1", "o-2"}, []string{receive(t, paid), receive(t, paid)})
		dead, reasons := worker.dead.await(t, 1)
		assert.Equal(t, forgery.UUID, dead[0].UUID)
		assert.ErrorIs(t, reasons[0], middleware.ErrUnsigned)
		assert.Empty(t, paid)
	})
}

func receive(t *testing.T, from <-chan string) string {
	select {
	case text := <-from:
		return text
	case <-time.After(timeout):
		require.FailNow(t, "nothing came")
		return ""
	}
}
