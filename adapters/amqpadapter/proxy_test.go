package amqpadapter_test

import (
	"net/url"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

// proxied is a network between a broker and RabbitMQ.
type proxied struct {
	*adaptertest.Network
	cnf *config.Config // of RabbitMQ through it
}

func proxy(t *testing.T, cnf *config.Config) *proxied {
	t.Helper()
	address, err := url.Parse(cnf.Broker)
	require.NoError(t, err)
	w := &proxied{adaptertest.NewNetwork(), new(*cnf)}
	address.Host = w.Proxy(t, address.Host)
	w.cnf.Broker = address.String()
	return w
}
