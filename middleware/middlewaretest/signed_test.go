package middlewaretest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

type testMAC struct{}

func (testMAC) ComputeMAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, []byte("key"))
	h.Write(data)
	return h.Sum(nil), nil
}

func (m testMAC) VerifyMAC(mac, data []byte) error {
	if want, _ := m.ComputeMAC(data); !hmac.Equal(mac, want) {
		return errors.New("not genuine")
	}
	return nil
}

func TestSignedTasksRunUnlessTheyAreCorrupted(t *testing.T) {
	s := newShop(t, middleware.SignTasks(testMAC{}), middleware.EnvelopeAll())
	quote, err := middlewaretest.Run[Quote](t, s.Middleware, signature(t, s, "orders.price", order, 250))
	require.NoError(t, err)
	assert.Equal(t, Quote{"o-1", 750}, quote)
	middlewaretest.RequireSent(t, s, "orders.price", isOrder("o-1"))

	made := signature(t, s, "orders.price", order, 250)
	send(t, s, made)
	s.Corrupt(made.UUID, "Args[0].Value.data.qty")
	s.Run(t.Context())
	assert.Len(t, s.DeadLetters(), 1)
}
