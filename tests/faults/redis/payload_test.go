package redis_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	largest = 50 << 20
	// threshold is from where on a payload goes to the store.
	threshold = 100
)

// Text is a payload.
type Text struct{ Text string }

// storing is a server whose payloads are in a store on a Redis of its own, and its worker.
type storing struct {
	*middleware.Middleware
	letters *redisadapter.DeadLetters
	broker  redisadapter.Broker
}

func newStoring(t *testing.T, s, payloads *server) *storing {
	t.Helper()
	client := s.dial()
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
	registry := envelope.NewRegistry(
		envelope.WithStore(redisadapter.NewStore(payloads.dial(), redisadapter.WithStoreLimit(2*largest)), threshold),
		envelope.WithLimits(envelope.Limits{MaxBytes: 2 * largest}))
	envelope.MustRegister[Text](registry, "faults.Text")
	letters := redisadapter.NewDeadLetters(client, deadLettersKey)
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithDeadLetters(letters))
	m, err := middleware.Install(machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New()),
		registry, middleware.WithDeadLetters(letters))
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("digest", func(text Text) ([sha256.Size]byte, error) {
		return sha256.Sum256([]byte(text.Text)), nil
	}))
	return &storing{m, letters, broker.(redisadapter.Broker)}
}

func (s *storing) work(t *testing.T) {
	t.Helper()
	runHere(t, s.NewWorker("worker", concurrency))
}

func (s *storing) send(t *testing.T, text string) middleware.Result {
	t.Helper()
	signature, err := s.Signature(context.Background(), "digest", Text{text})
	require.NoError(t, err)
	result, err := s.SendTask(context.Background(), signature)
	require.NoError(t, err)
	return result
}

func (s *storing) requireDigest(t *testing.T, text string, result middleware.Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	digest, err := middleware.Await[[sha256.Size]byte](ctx, s.Middleware, result)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256([]byte(text)), digest)
}

func TestTaskWhosePayloadIsGoneFailsAndSaysSo(t *testing.T) {
	t.Parallel()
	payloads := startServer(t)
	s := newStoring(t, startServer(t), payloads)
	gone := s.send(t, strings.Repeat("gone", threshold))
	require.NoError(t, payloads.dial().FlushAll(context.Background()).Err(), "as if all had expired")
	kept := strings.Repeat("kept", threshold)
	result := s.send(t, kept)
	s.work(t)
	s.requireDigest(t, kept, result)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err := middleware.Await[[sha256.Size]byte](ctx, s.Middleware, gone)
	require.ErrorIs(t, err, envelope.ErrMissingPayload)
	eventually(t, func() bool { // the state is written before the letter
		letters, err := s.letters.Count(ctx)
		return err == nil && letters == 1
	}, func() string { return "the task is not in the dead letters" })
}

func TestOutageOfThePayloadStoreIsNoFaultOfTasks(t *testing.T) {
	t.Parallel()
	const putOffs = "2"
	payloads := startServer(t)
	s := newStoring(t, startServer(t), payloads)
	text := strings.Repeat("text", threshold)
	result := s.send(t, text)
	payloads.kill()
	s.work(t)
	var waiting []*tasks.Signature
	eventually(t, func() bool {
		var err error
		waiting, err = s.broker.GetDelayedTasks()
		return err == nil && len(waiting) == 1 && waiting[0].Headers[middleware.UnavailableHeader] == putOffs
	}, func() string { return "the task is not put off" })
	require.Nil(t, waiting[0].Headers[middleware.AttemptsHeader])
	require.NoError(t, payloads.start())
	s.requireDigest(t, text, result)
	letters, err := s.letters.Count(context.Background())
	require.NoError(t, err)
	require.Zero(t, letters)
}

func TestPayloadOf50MiBArrives(t *testing.T) {
	t.Parallel()
	payloads := startServer(t)
	s := newStoring(t, startServer(t), payloads)
	s.work(t)
	text := strings.Repeat("x", largest)
	s.requireDigest(t, text, s.send(t, text))
}
