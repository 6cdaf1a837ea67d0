package backends_test

import (
	"io"
	stdlog "log"
	"os"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/conformance"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestMain(m *testing.M) {
	// Machinery logs every failed task with its stack.
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	services.RunInParallel(16)
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	for _, tr := range transports {
		conformance.Run(t, tr)
	}
}

var transports = []conformance.Transport{
	{Name: "sqs", Open: withResultsInRedis(openSQS), ChordOrder: groupOrder, Excluded: notSQS},
	{Name: "pubsub", Open: withResultsInRedis(openPubSub), ChordOrder: groupOrder, Excluded: notPubSub},
	// Its client gives up after half a second, which a busy machine takes for many things at once.
	{Name: "memcached", Open: withQueueInRedis(openMemcached), ChordOrder: groupOrder, OneAtATime: true},
	{Name: "mongo", Open: withQueueInRedis(openMongo), Excluded: notMongo},
	conformance.Signed(conformance.Transport{Name: "mongo", Open: withQueueInRedis(openMongo), Excluded: notMongo}),
	{Name: "dynamodb", Open: withQueueInRedis(openDynamoDB), Excluded: notDynamoDB},
}

var groupOrder = []string{"a", "b", "c"}

// What these brokers and backends of Machinery's cannot do, with or without the middleware.
var (
	notSQS = map[string]string{
		"a task does not arrive before its ETA":                 wholeSeconds,
		"a task of an unknown type is put off, then fails":      wholeSeconds,
		"a task of an unknown version is put off, then fails":   wholeSeconds,
		"a task that was put off runs when its type is known":   wholeSeconds,
		"a task that nobody knows is dropped where it shall be": "it is an error that stops the consumer",
	}
	notPubSub = map[string]string{
		"poison among good messages stops nothing":              "of a thousand messages some are delivered twice when the machine is busy",
		"a worker serves a queue of its own":                    "a broker has one subscription, whatever the worker's queue",
		"a task that nobody knows is dropped where it shall be": "it is delivered again and again",
	}
	notMongo = map[string]string{
		"poison among good messages stops nothing":                           "FerretDB takes minutes over the states of a thousand tasks on a busy machine",
		"a chord's callback takes the results in the order of the transport": "the states of a group come in no order",
	}
	notDynamoDB = map[string]string{
		"a chain goes through a plain task":                                  "a plain task's result that is no string cannot be read",
		"a chord's callback takes the results in the order of the transport": "the states of a group come in no order",
	}
)

const wholeSeconds = "delays are whole seconds, and what is left is cut off"

type opener = func(t *testing.T, cnf *config.Config) func() *machinery.Server

// withResultsInRedis makes a transport of a broker. The function that open returns makes brokers on one service.
func withResultsInRedis(open func(t *testing.T, cnf *config.Config) func() brokersiface.Broker) opener {
	return func(t *testing.T, cnf *config.Config) func() *machinery.Server {
		broker, client := open(t, cnf), embeddedRedis(t)
		return func() *machinery.Server {
			return machinery.NewServer(cnf, broker(), redisadapter.NewBackend(cnf, client), eagerlock.New())
		}
	}
}

// withQueueInRedis makes a transport of a result backend.
func withQueueInRedis(open func(t *testing.T, cnf *config.Config) func() backendsiface.Backend) opener {
	return func(t *testing.T, cnf *config.Config) func() *machinery.Server {
		backend, client := open(t, cnf), embeddedRedis(t)
		return func() *machinery.Server {
			return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), backend(), eagerlock.New())
		}
	}
}

func embeddedRedis(t *testing.T) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
