package security_test

import (
	"context"
	"encoding/json"
	stdlog "log"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// timeout bounds every wait. It is far longer than anything takes.
const timeout = 2 * time.Minute

// A site is where servers meet, and where an attacker can write.
type site struct {
	cnf       *config.Config
	newServer func() *machinery.Server
	// push puts a message at the end of the queue.
	push func(t *testing.T, message []byte)
	// forge puts a state in the place of a task's.
	forge func(t *testing.T, state *tasks.TaskState)
	// newDeadLetters makes those of the adapter.
	newDeadLetters func(t *testing.T) deadLetters
	// another is a site of the same kind, where no workers are yet.
	another func() *site
}

type deadLetters interface {
	middleware.DeadLetters
	ReplayAll(ctx context.Context) (int, error)
}

// sites are where everything is tried.
var sites = map[string]func(t *testing.T) *site{
	"embedded redis": func(t *testing.T) *site { return redisSite(t, "redis://"+miniredis.RunT(t).Addr()) },
	"redis":          func(t *testing.T) *site { return redisSite(t, services.Redis(t)) },
	"rabbitmq":       rabbitSite,
}

// everywhere runs a test at each site.
func everywhere(t *testing.T, test func(t *testing.T, s *site)) { everywhereBut(t, nil, test) }

// everywhereBut runs a test at each site but those that are given with a reason.
func everywhereBut(t *testing.T, excluded map[string]string, test func(t *testing.T, s *site)) {
	t.Parallel()
	for name, open := range sites {
		t.Run(name, func(t *testing.T) {
			if reason, ok := excluded[name]; ok {
				services.Excluded(t, name, reason)
			}
			t.Parallel() // they share nothing, and mostly wait
			s := open(t)
			s.another = func() *site { return open(t) }
			test(t, s)
		})
	}
}

func newConfig() *config.Config {
	queue := "security-" + uuid.NewString()
	return &config.Config{
		DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true,
		Redis: &config.RedisConfig{DelayedTasksKey: queue + "-delayed", DelayedTasksPollPeriod: 20},
	}
}

func redisSite(t *testing.T, url string) *site {
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	cnf := newConfig()
	t.Cleanup(func() {
		_ = client.Del(context.Background(), cnf.DefaultQueue, cnf.Redis.DelayedTasksKey).Err()
		_ = client.Close()
	})
	return &site{
		cnf: cnf,
		newServer: func() *machinery.Server {
			return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), eagerlock.New())
		},
		push: func(t *testing.T, message []byte) {
			require.NoError(t, client.RPush(t.Context(), cnf.DefaultQueue, message).Err())
		},
		newDeadLetters: func(t *testing.T) deadLetters {
			key := cnf.DefaultQueue + "-letters"
			t.Cleanup(func() { _ = client.Del(context.Background(), key).Err() })
			return redisadapter.NewDeadLetters(client, key, redisadapter.WithReplayQueues(cnf.DefaultQueue))
		},
		forge: func(t *testing.T, state *tasks.TaskState) {
			require.NoError(t, client.Set(t.Context(), state.TaskUUID, marshal(t, state), time.Minute).Err())
		},
	}
}

func rabbitSite(t *testing.T) *site {
	address := services.AMQP(t)
	cnf := newConfig()
	cnf.Broker, cnf.ResultBackend = address, address
	cnf.AMQP = &config.AMQPConfig{
		Exchange: cnf.DefaultQueue, ExchangeType: "direct", BindingKey: cnf.DefaultQueue,
		PrefetchCount: 8, DelayedQueue: cnf.DefaultQueue + "-delayed",
	}
	connection, err := amqp.Dial(address)
	require.NoError(t, err)
	channel, err := connection.Channel()
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, queue := range []string{cnf.DefaultQueue, cnf.AMQP.DelayedQueue, cnf.DefaultQueue + ".dead"} {
			_, _ = channel.QueueDelete(queue, false, false, false)
		}
		_ = channel.ExchangeDelete(cnf.AMQP.Exchange, false, false)
		_ = connection.Close()
	})
	publish := func(t *testing.T, exchange, key string, message []byte) {
		require.NoError(t, channel.PublishWithContext(t.Context(), exchange, key, false, false, amqp.Publishing{ContentType: "application/json", Body: message}))
	}
	return &site{
		cnf: cnf,
		newServer: func() *machinery.Server {
			return machinery.NewServer(cnf, amqpadapter.NewBroker(cnf), amqpadapter.NewBackend(cnf), eagerlock.New())
		},
		push: func(t *testing.T, message []byte) { publish(t, cnf.DefaultQueue, cnf.DefaultQueue, message) },
		newDeadLetters: func(t *testing.T) deadLetters {
			queue := cnf.DefaultQueue + "-letters"
			letters, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, queue)
			require.NoError(t, err)
			t.Cleanup(func() {
				_ = letters.Close()
				_, _ = channel.QueueDelete(queue, false, false, false)
			})
			return letters
		},
		forge: func(t *testing.T, state *tasks.TaskState) {
			expiry := int32(cnf.ResultsExpireIn * 1000)
			_, err := channel.QueueDeclare(state.TaskUUID, false, true, false, false, amqp.Table{"x-message-ttl": expiry, "x-expires": expiry})
			require.NoError(t, err)
			publish(t, "", state.TaskUUID, marshal(t, state))
		},
	}
}

func marshal(t *testing.T, v any) []byte {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

// Order is an application's own type.
type Order struct{ ID, Card string }

func registry(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	r := envelope.NewRegistry(opts...)
	require.NoError(t, envelope.Register[Order](r, "shop.Order"))
	return r
}

// A party is a process: a producer, or a worker when it is launched.
type party struct {
	*middleware.Middleware
	server *machinery.Server
	dead   *letterLog
}

func (s *site) join(t *testing.T, types *envelope.Registry, opts ...middleware.Option) *party {
	p := &party{server: s.newServer(), dead: &letterLog{}}
	var err error
	p.Middleware, err = middleware.Install(p.server, types, append(opts, middleware.WithDeadLetters(p.dead))...)
	require.NoError(t, err)
	return p
}

// launch runs a worker until the test has ended. When it returns, the worker has its queue.
func (p *party) launch(t *testing.T) {
	require.NoError(t, p.RegisterTask("ready", func() error { return nil }))
	p.work(t)
	_, err := await[struct{}](t, p, p.send(t, "ready"))
	require.NoError(t, err)
}

// work runs a worker until quit is called or the test has ended.
func (p *party) work(t *testing.T) (quit func()) {
	ended := make(chan error, 1)
	worker := p.NewWorker("security", 4)
	worker.LaunchAsync(ended)
	quit = sync.OnceFunc(func() {
		worker.Quit()
		select {
		case <-ended:
		case <-time.After(timeout):
			t.Error("the worker did not stop")
		}
	})
	t.Cleanup(quit)
	return quit
}

func (p *party) send(t *testing.T, name string, args ...any) middleware.Result {
	s, err := p.Signature(t.Context(), name, args...)
	require.NoError(t, err)
	res, err := p.SendTask(t.Context(), s)
	require.NoError(t, err)
	return res
}

func await[T any](t *testing.T, p *party, res middleware.Result) (T, error) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return middleware.Await[T](ctx, p.Middleware, res)
}

// letterLog is dead letters.
type letterLog struct {
	mu      sync.Mutex
	letters []*tasks.Signature
	reasons []error
}

func (g *letterLog) Push(_ context.Context, s *tasks.Signature, reason error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.letters, g.reasons = append(g.letters, s), append(g.reasons, reason)
	return nil
}

func (g *letterLog) all() ([]*tasks.Signature, []error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.letters), slices.Clone(g.reasons)
}

// await returns the dead letters when there are so many.
func (g *letterLog) await(t *testing.T, n int) ([]*tasks.Signature, []error) {
	require.Eventually(t, func() bool { _, reasons := g.all(); return len(reasons) >= n }, timeout, 5*time.Millisecond)
	return g.all()
}

// logged is what Machinery, the adapters and the middleware have logged, at every level.
var logged logbook

type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(&logged, "", 0))
	services.RunInParallel(8)
	os.Exit(m.Run())
}
