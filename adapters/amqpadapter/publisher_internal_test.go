package amqpadapter

import (
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
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

// large is a message to one of the fake's queues that has a channel of its own.
func large(routingKey string) message {
	return message{routingKey: routingKey, Publishing: amqp.Publishing{Body: make([]byte, maxShared+1)}}
}

func TestLargeMessageThatRabbitMQRefusesHasNoOtherSentTwice(t *testing.T) {
	const many = 10
	var refused *amqp.Error
	t.Run("alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, rabbitMQ := newFakePublisher(t)
			for range many {
				go func() { assert.ErrorIs(t, p.publish(t.Context(), message{routingKey: "silent"}), ErrNotConfirmed) }()
			}
			synctest.Wait()
			shared := p.conn.Load().confirm.Load()
			require.ErrorAs(t, p.publish(t.Context(), large("refused")), &refused)
			require.Equal(t, amqp.PreconditionFailed, refused.Code)
			require.NoError(t, p.publish(t.Context(), large("well")))
			require.Same(t, shared, p.conn.Load().confirm.Load())
			require.True(t, shared.isOpen())
			sent, _ := rabbitMQ.counts("silent")
			require.Equal(t, many, sent)
			sent, _ = rabbitMQ.counts("refused")
			require.Equal(t, 1, sent)
			time.Sleep(2 * time.Minute) // until nobody waits for a confirmation
			require.NoError(t, p.close())
		})
	})
	t.Run("among many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, rabbitMQ := newFakePublisher(t)
			batch := slices.Repeat([]message{{routingKey: "silent"}}, many)
			errs := p.publishMany(t.Context(), append(batch, large("refused"), large("well")))
			require.ErrorIs(t, errs[0], ErrNotConfirmed)
			require.ErrorAs(t, errs[many], &refused)
			require.NoError(t, errs[many+1])
			sent, _ := rabbitMQ.counts("silent")
			require.Equal(t, many, sent)
			require.True(t, p.conn.Load().confirm.Load().isOpen())
			require.NoError(t, p.close())
		})
	})
}

func TestLargeMessageDoesNotWaitBehindThoseOfAQueueThatConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newFull(t)
		began := time.Now()
		require.NoError(t, p.publish(t.Context(), large("well")))
		require.ErrorIs(t, p.publishUnlessNacked(t.Context(), large("full")), errNacked)
		require.Zero(t, time.Since(began))
		require.NoError(t, p.close())
	})
}

func TestMessagesOnChannelsOfTheirOwnTakeNotAllChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		conn := p.conn.Load()
		ctx, cancel := context.WithCancel(t.Context())
		for range maxOutstanding + 1 {
			go func() { _ = conn.publishAlone(ctx, message{routingKey: "silent"}) }()
		}
		synctest.Wait()
		sent, _ := rabbitMQ.counts("silent")
		require.Equal(t, maxOutstanding, sent)
		late, giveUp := context.WithTimeout(t.Context(), time.Second)
		defer giveUp()
		began := time.Now()
		require.ErrorIs(t, conn.publishAlone(late, message{routingKey: "silent"}), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		cancel()
		synctest.Wait()
		require.NoError(t, conn.publishAlone(t.Context(), message{routingKey: "any"}))
		require.NoError(t, p.close())
	})
}

// A server or a proxy other than RabbitMQ may say so.
func TestServerThatDoesNotFindTheVirtualHostIsAskedAgain(t *testing.T) {
	t.Parallel()
	fake := &fakeRabbitMQ{}
	fake.endAt(connectionOpen, func(conn net.Conn) { send(conn, 0, connectionClose, reasonWithCode(amqp.NotFound)) })
	p := newPublisher(&endpoint{urls: []string{fake.listen(t)}}, time.Minute)
	require.NoError(t, p.publish(t.Context(), message{routingKey: "any"}))
	require.NoError(t, p.close())
}

// counted is a declaration that counts how often it was made.
func counted(times *int) declaration {
	return declaration{id: "counted", declare: func(*amqp.Channel) error { *times++; return nil }}
}

func TestMessageThatGoesNowhereHasOthersDeclareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newFakePublisher(t)
		others, own := 0, 0
		other := message{routingKey: "well", needs: []declaration{counted(&others)}}
		require.NoError(t, p.publish(t.Context(), other))
		needs := declaration{id: "own", declare: counted(&own).declare}
		const many = 3
		for range many {
			var missing *amqp.Error
			err := p.publish(t.Context(), message{routingKey: "gone", needs: []declaration{needs}})
			require.ErrorAs(t, err, &missing)
			require.Equal(t, amqp.NotFound, missing.Code)
			require.NoError(t, p.publish(t.Context(), other))
		}
		require.Equal(t, 1, others)
		require.Equal(t, 1+many, own, "what the message needs may have been deleted")
		require.NoError(t, p.close())
	})
}

func TestWhatOthersNeedIsDeclaredAgainWhereSomethingWasDeleted(t *testing.T) {
	t.Parallel()
	p := newPublisher(&endpoint{urls: []string{services.AMQP(t)}}, defaultPublishTimeout)
	defer func() { require.NoError(t, p.close()) }()
	queue := "deleted-" + t.Name()
	remove := func() {
		browser, err := p.browse(t.Context())
		require.NoError(t, err)
		_, err = browser.QueueDelete(queue, false, false, false)
		require.NoError(t, err)
		browser.close(t.Context())
	}
	times := 0
	to := deadLettersIn(queue, nil)
	other := message{routingKey: queue, needs: []declaration{to, counted(&times)}}
	require.NoError(t, p.publish(t.Context(), other))
	remove()
	require.NoError(t, p.publish(t.Context(), message{routingKey: queue, needs: []declaration{to}}))
	require.NoError(t, p.publish(t.Context(), other))
	require.Equal(t, 2, times)
	remove()
}
