package amqpadapter

import (
	"log/slog"

	machineryamqp "github.com/RichardKnop/machinery/v2/backends/amqp"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/config"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// NewBackend returns Machinery's own *amqp.Backend: its worker looks for that very type to clean up after a chord.
//
// Of cnf it needs ResultBackend and AMQP, and uses TLSConfig where it is set. ResultsExpireIn is in seconds (default
// config.DefaultResultsExpireIn, an hour) and must not exceed 2,147,483, about 24 days. It connects whenever it is
// used: a RabbitMQ that cannot be reached is an error of each method.
//
// RabbitMQ hands a state or result out once: who reads it takes it away. Results of a chord come in the order in which
// its tasks ended, and states are lost when RabbitMQ stops. IsAMQP answers false, in Machinery's version 2.0.16. Where
// that does not do, keep results in Redis (see the example of NewBroker).
//
// Its queues are transient and not exclusive. RabbitMQ 4 has deprecated such queues, and refuses them where
// deprecated_features.permit.transient_nonexcl_queues is false. NewBackend logs a warning that names
// redisadapter.NewBackend, which has no such limits.
func NewBackend(cnf *config.Config) backendsiface.Backend {
	warnOfTransientQueues(middleware.MachineryLogger())
	own := *cnf
	own.TLSConfig = cnf.TLSConfig.Clone() // Machinery writes the name of the server into it whenever it connects
	return machineryamqp.New(&own)
}

func warnOfTransientQueues(logger *slog.Logger) {
	logger.Warn("results in rabbitmq are kept in transient queues that are not exclusive: deprecated in 4, refused where "+
		"deprecated_features.permit.transient_nonexcl_queues is false", "instead", "redisadapter.NewBackend")
}
