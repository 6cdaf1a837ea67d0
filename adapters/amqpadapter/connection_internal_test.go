package amqpadapter

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// silentNode returns the URL of a node that answers nothing, and how many connections it has got.
func silentNode(t *testing.T) (url string, dialled *atomic.Int32) {
	dialled = new(atomic.Int32)
	return listen(t, func(conn net.Conn) {
		dialled.Add(1)
		_, _ = io.Copy(io.Discard, conn)
	}), dialled
}

func TestNodeThatAnswersNothingTakesItsShareOfTheTimeOnce(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(services.AMQP(t))
	require.NoError(t, err)
	network := adaptertest.NewNetwork()
	address.Host = network.Proxy(t, address.Host)
	silent, dialled := silentNode(t)
	e := &endpoint{urls: []string{silent, address.String()}}
	p := newPublisher(e, connectTimeout)
	defer func() { require.NoError(t, p.close()) }()
	queue := "shares-" + t.Name()
	m := message{routingKey: queue, needs: []declaration{deadLettersIn(queue, nil)}}
	require.NoError(t, p.publish(t.Context(), m))
	require.EqualValues(t, 1, dialled.Load())

	network.Cut()
	adaptertest.Eventually(t, func() bool { return !p.conn.Load().isOpen() })
	require.NoError(t, p.publish(t.Context(), m))
	other, err := e.dial(t.Context(), "other")
	require.NoError(t, err)
	require.NoError(t, other.hangUp(t.Context()))
	require.EqualValues(t, 1, dialled.Load(), "the other one worked last")

	browser, err := p.browse(t.Context())
	require.NoError(t, err)
	defer browser.close(t.Context())
	_, err = browser.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}

// There is too little time to share: a node that is well needs some.
func TestNodeThatTookAllTheTimeIsTriedLast(t *testing.T) {
	t.Parallel()
	silent, _ := silentNode(t)
	p := newPublisher(&endpoint{urls: []string{silent, (&fakeRabbitMQ{}).listen(t)}}, leastShare/2)
	defer func() { require.NoError(t, p.close()) }()
	require.ErrorIs(t, p.publish(t.Context(), message{routingKey: "any"}), context.DeadlineExceeded)
	adaptertest.Eventually(t, func() bool { return p.publish(t.Context(), message{routingKey: "any"}) == nil })
}

func TestNodeIsNotTriedLastBecauseACallerGaveUp(t *testing.T) {
	t.Parallel()
	silent, dialled := silentNode(t)
	e := &endpoint{urls: []string{silent, silent}}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := e.dial(ctx, "given up")
		failed <- err
	}()
	adaptertest.Eventually(t, func() bool { return dialled.Load() == 1 })
	cancel()
	require.ErrorIs(t, adaptertest.Await(t, failed), context.Canceled)
	require.Zero(t, e.first.Load())
	require.EqualValues(t, 1, dialled.Load())
}

func TestAddressesShareTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := amqp.URI{ConnectionTimeout: 60_000}
		left := func(addresses int) remaining { return remaining{time.Now(), addresses} }
		forever := t.Context()
		require.Equal(t, connectTimeout, left(1).timeout(forever, amqp.URI{}))
		require.Equal(t, connectTimeout/3, left(3).timeout(forever, amqp.URI{}))
		require.Equal(t, time.Minute, left(3).timeout(forever, own))

		ctx, cancel := context.WithTimeout(forever, 8*time.Second)
		defer cancel()
		require.Equal(t, 8*time.Second, left(1).timeout(ctx, amqp.URI{}))
		require.Equal(t, 4*time.Second, left(2).timeout(ctx, own))
		require.Equal(t, time.Second, left(2).timeout(ctx, amqp.URI{ConnectionTimeout: 1_000}))
		require.Equal(t, leastShare, left(100).timeout(ctx, amqp.URI{}))

		ctx, cancel = context.WithTimeout(forever, time.Hour)
		defer cancel()
		late := left(2)
		require.Equal(t, connectTimeout/2, late.timeout(ctx, amqp.URI{}))
		time.Sleep(time.Minute)
		require.Equal(t, leastShare, late.timeout(ctx, amqp.URI{}))
	})
}

// The library waits longer with each heartbeat: the test would time out.
func TestConnectingEndsInTimeThoughTheServerSendsHeartbeats(t *testing.T) {
	t.Parallel()
	fake := &fakeRabbitMQ{}
	fake.ignore(connectionOpen)
	const heartbeat = 8
	p := newPublisher(&endpoint{urls: []string{listen(t, func(conn net.Conn) {
		served := make(chan struct{})
		go func() {
			defer close(served)
			fake.serve(conn)
		}()
		for !adaptertest.Closed(served) {
			sendFrame(conn, heartbeat, 0, nil)
			time.Sleep(10 * time.Millisecond)
		}
	})}}, time.Second)
	failed := make(chan error, 1)
	go func() { failed <- p.publish(context.Background(), message{routingKey: "any"}) }()
	err := adaptertest.Await(t, failed)
	require.ErrorIs(t, err, ErrNotConfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, p.close())
}

// The library takes the end of a connection for a wrong password or virtual host.
func TestConnectionThatEndsBeforeTheUserIsLetInIsOpenedAgain(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(net.Conn){
		"closed": func(conn net.Conn) { _ = conn.Close() },
		"reset": func(conn net.Conn) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
	} {
		for stage, m := range map[string]method{"credentials": connectionStartOK, "virtual host": connectionOpen} {
			t.Run(how+" at the "+stage, func(t *testing.T) {
				t.Parallel()
				fake := &fakeRabbitMQ{}
				fake.endAt(m, end)
				e := &endpoint{urls: []string{fake.listen(t)}}
				_, err := e.dial(t.Context(), "first")
				require.True(t, isLost(err))
				require.ErrorIs(t, err, errNotLetIn)
				require.NotErrorIs(t, err, amqp.ErrCredentials)

				fake.endAt(m, end)
				p := newPublisher(e, time.Minute)
				require.NoError(t, p.publish(t.Context(), message{routingKey: "any"}))
				require.NoError(t, p.close())
			})
		}
	}
}

func TestRabbitMQSaysThatItDoesNotLetAUserIn(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(services.AMQP(t))
	require.NoError(t, err)
	address.User = url.UserPassword("nobody", "knows")
	dial := func(query string) error {
		address.RawQuery = query
		_, err := (&endpoint{urls: []string{address.String()}}).dial(t.Context(), "stranger")
		return err
	}
	for _, query := range []string{
		"", "auth_mechanism=plain", "auth_mechanism=AMQPLAIN", "auth_mechanism=EXTERNAL&auth_mechanism=PLAIN",
	} {
		err := dial(query)
		require.ErrorIs(t, err, amqp.ErrCredentials)
		require.ErrorContains(t, err, "ACCESS_REFUSED")
		require.False(t, isLost(err))
	}
	err = dial("auth_mechanism=EXTERNAL")
	require.ErrorIs(t, err, amqp.ErrSASL, "RabbitMQ has no plugin for it")
	require.False(t, isLost(err))
	require.ErrorContains(t, dial("auth_mechanism=unheard-of"), "unsupported auth_mechanism: unheard-of")
}
