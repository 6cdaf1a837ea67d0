package backends_test

import (
	"testing"

	"cloud.google.com/go/pubsub/pstest"
	"github.com/RichardKnop/machinery/v2"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/alicebob/miniredis/v2"

	"github.com/machinery-envelope/machinery-envelope/tests/differential"
)

func TestPlainTasksAreWhatTheyWere(t *testing.T) {
	differential.Run(t, differential.Transport{Name: "sqs", Bare: simpleQueueServer, Installed: simpleQueueServer})
	differential.Run(t, differential.Transport{Name: "pubsub", Bare: pubSubServer, Installed: pubSubServer})
}

func simpleQueueServer(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
	service := newSimpleQueues()
	broker := service.open(t, cnf)()
	server := machinery.NewServer(cnf, broker, redisbackend.NewGR(cnf, []string{miniredis.RunT(t).Addr()}, 0), eagerlock.New())
	return server, func() []string { return service.bodies(cnf.Broker + "/" + cnf.DefaultQueue) }
}

func pubSubServer(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
	service := pstest.NewServer()
	broker := openPubSubOn(t, cnf, service)()
	server := machinery.NewServer(cnf, broker, redisbackend.NewGR(cnf, []string{miniredis.RunT(t).Addr()}, 0), eagerlock.New())
	return server, func() (bodies []string) {
		for _, message := range service.Messages() {
			bodies = append(bodies, string(message.Data))
		}
		return bodies
	}
}
