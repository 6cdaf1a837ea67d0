package amqpadapter

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIdlePublisherIsClosedUnlessAMessageIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(&endpoint{}, time.Minute)
		conn := newPublishConn((&fakeRabbitMQ{}).connect(t))
		p.conn.Store(conn)
		p.busy.Add(1)
		p.closeIdle()
		require.Same(t, conn, p.conn.Load())
		require.True(t, conn.isOpen())
		p.busy.Add(-1)
		p.closeIdle()
		require.Nil(t, p.conn.Load())
		require.False(t, conn.isOpen())
		require.NoError(t, p.close())
	})
}

func TestClosedPublisherConnectsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(&endpoint{}, time.Minute)
		p.conn.Store(newPublishConn((&fakeRabbitMQ{}).connect(t)))
		require.NoError(t, p.close())
		_, err := p.connect(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestMessageIDsOfAChannelDifferAndThoseOfChannelsBeginElsewhere(t *testing.T) {
	t.Parallel()
	ids := newMessageIDs()
	first := ids.next()
	require.True(t, isMessageID(first))
	require.NotEqual(t, first, ids.next())
	require.NotEqual(t, first, newMessageIDs().next())
}
