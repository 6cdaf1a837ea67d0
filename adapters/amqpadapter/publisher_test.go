package amqpadapter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// RabbitMQ closes the channel, which other messages are on, for a message that it refuses, such as one of a wrong user.
func TestMessageThatRabbitMQRefusesFailsAlone(t *testing.T) {
	t.Parallel()
	publisher := newPublisher(&endpoint{urls: []string{services.AMQP(t)}}, defaultPublishTimeout)
	defer func() { require.NoError(t, publisher.close()) }()
	queue := "refused-" + t.Name()
	good := message{routingKey: queue, needs: []declaration{deadLettersIn(queue, nil)}}
	bad := message{routingKey: queue, Publishing: amqp.Publishing{UserId: "somebody else"}}
	defer func() {
		browser, err := publisher.browse(t.Context())
		require.NoError(t, err)
		_, err = browser.QueueDelete(queue, false, false, false)
		require.NoError(t, err)
		browser.close(t.Context())
	}()
	require.NoError(t, publisher.publish(t.Context(), good))

	var others sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		others.Go(func() {
			for !done.Load() {
				assert.NoError(t, publisher.publish(t.Context(), good))
			}
		})
	}
	for range 20 {
		assert.ErrorContains(t, publisher.publish(t.Context(), bad), "PRECONDITION_FAILED")
	}
	done.Store(true)
	others.Wait()
}

// A connection is cut before the client library knows it.
func TestErrorOfTheNetworkIsThatOfALostConnection(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE},
		fmt.Errorf("declare: %w", &net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}),
		net.ErrClosed, io.EOF, amqp.ErrClosed, lost{errors.New("any")},
		&amqp.Error{Code: amqp.ConnectionForced},
	} {
		assert.True(t, isLost(err), "%v", err)
		assert.False(t, isRefused(err), "%v", err)
	}
	for _, err := range []error{nil, ErrTooLarge, errNacked, errors.New("any"), &amqp.Error{Code: amqp.PreconditionFailed}} {
		assert.False(t, isLost(err), "%v", err)
	}
}
