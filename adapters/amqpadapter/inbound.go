package amqpadapter

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// inbound is the connection on which the workers of a broker get their tasks. It is not the one for publishing: RabbitMQ
// stops reading that when it is short of memory, and acknowledgements must still get through.
type inbound struct {
	endpoint   endpoint
	gate       gate
	connection *connection
	users      int
}

func newInbound(e endpoint) *inbound { return &inbound{endpoint: e, gate: newGate()} }

// channel opens a channel, which release must follow.
func (i *inbound) channel(ctx context.Context) (*amqp.Channel, error) {
	if err := i.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer i.gate.leave()
	if i.connection == nil || i.connection.IsClosed() {
		connection, err := i.endpoint.dial(ctx, "machinery-envelope consumer", asItIs)
		if err != nil {
			return nil, err
		}
		i.connection = connection
	}
	channel, err := i.connection.Channel()
	if err != nil {
		return nil, err
	}
	i.users++
	return channel, nil
}

// release closes a channel, and the connection with the last one.
func (i *inbound) release(channel *amqp.Channel) {
	_ = i.gate.enter(context.Background())
	defer i.gate.leave()
	_ = channel.Close()
	i.users--
	if i.users == 0 {
		_ = i.connection.hangUp()
		i.connection = nil
	}
}
