package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// timeout is for machines that are slow, and busy with other things.
const timeout = 3 * time.Minute

func TestMain(m *testing.M) {
	quietMachinery(os.Stderr)
	goleak.VerifyTestMain(m,
		// Every Machinery server starts one for periodic tasks, and never stops it.
		goleak.IgnoreAnyFunction("github.com/robfig/cron/v3.(*Cron).run"),
		// Of a group that was not sent to its end, Machinery leaves one behind.
		goleak.IgnoreAnyFunction("github.com/RichardKnop/machinery/v2.(*Server).SendGroupWithContext.func3"),
		// Started by one of Machinery's imports.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	stdout := assertSolves(t)
	assert.Contains(t, stdout, "broker    embedded Redis\n")
	assert.Regexp(t, `\ntsp\.Problem +65 +67210 +66 +68244 `, stdout, "each is 1034 bytes long, and one is restored for the retry too")
	assert.Regexp(t, `\ntsp\.Found +64 +\d+ +64 `, stdout)
	assert.Equal(t, stdout[:200], assertSolves(t, "demo")[:200], "demo is what is done without a command")
}

func assertSolves(t *testing.T, arguments ...string) string {
	t.Helper()
	stdout, stderr, status := runApp(t.Context(), arguments...)
	require.Equal(t, statusOK, status, stderr)
	assert.Empty(t, stderr)

	assert.Contains(t, stdout, "problem   berlin52, 52 cities\n")
	assert.Contains(t, stdout, "\nlength    7542, the proven optimum\n")
	assert.Regexp(t, `\nflaky or-opt +1 +1 +`, stdout, "one task was retried once")
	assert.Regexp(t, `\n +64 +1 +7542 `, stdout, "all 64 tasks are counted")
	assert.Regexp(t, `\ntsp\.Problem +65 +\d+ `, stdout)
	assert.Regexp(t, `\ntime      \d+\.\d\d s\n`, stdout)
	return stdout
}

func TestDemoCleansUp(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	assertSolves(t, "-broker", "redis://"+server.Addr())
	for _, key := range server.Keys() {
		assert.Positive(t, server.TTL(key), "%s is left for ever", key)
		assert.NotContains(t, key, "task_")
		assert.NotContains(t, key, "group_")
	}
}

func TestDemoOnOneBrokerAfterAnother(t *testing.T) {
	t.Parallel()
	one, another := miniredis.RunT(t), miniredis.RunT(t)
	stdout := assertSolves(t, "-broker", "redis://"+one.Addr(), "-broker", "redis://"+another.Addr())
	assert.Contains(t, stdout, one.Addr())
	assert.Contains(t, stdout, another.Addr())
	assert.Equal(t, 2, strings.Count(stdout, "the proven optimum\n"))
}

func TestDemoKeepsResultsElsewhere(t *testing.T) {
	t.Parallel()
	broker, results := miniredis.RunT(t), miniredis.RunT(t)
	stdout := assertSolves(t, "-broker", "redis://"+broker.Addr(), "-backend", "redis://"+results.Addr())
	assert.Contains(t, stdout, "broker    redis://"+broker.Addr()+", results in redis://"+results.Addr()+"\n")
}

func TestDemoOnAProblemFromAFile(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := runApp(t.Context(), "-problem", writeFile(t, square), "-tasks", "5")
	require.Equal(t, statusOK, status, stderr)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "problem   square, 4 cities\n")
	assert.Regexp(t, regexp.MustCompile(`\ntour      1 (2 4 3|3 4 2)\n`), stdout)
	assert.Contains(t, stdout, "length    40, the optimum is not known\n")
}

func TestDemoOnAThousandCities(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := runApp(t.Context(), "-cities", "1000", "-tasks", "5")
	require.Equal(t, statusOK, status, stderr)
	assert.Contains(t, stdout, "problem   random (seed 1), 1000 cities\n")
	assert.Contains(t, stdout, "… and 940 more\n")
}

func TestDemoShowsTheWire(t *testing.T) {
	t.Parallel()
	stdout := assertSolves(t, "-show-wire")
	for _, shown := range []string{
		"tsp.improve, argument 1\n  {\n    \"$envelope\":1,\n    \"type\":\"tsp.Problem\",\n",
		`"cities":[{"x":565, "y":575}, {"x":25, "y":185}, {"x":345, "y":750}, … 49 more]`,
		"tsp.improve, argument 2\n  {\n    \"$envelope\":1,\n    \"type\":\"tsp.Flaky\",\n",
		`{"$envelope":1, "type":"tsp.NearestNeighbour", "data":{"start":0}}`,
		"tsp.improve, result\n  {\n    \"$envelope\":1,\n    \"type\":\"tsp.Found\",\n",
		"tsp.summarize, result\n  {\n    \"$envelope\":1,\n    \"type\":\"tsp.Summary\",\n",
		"tsp.report, result\n  {\n    \"$envelope\":1,\n    \"type\":\"tsp.Report\",\n",
	} {
		assert.Contains(t, stdout, shown)
	}
}

func TestDemoEncryptsTheWire(t *testing.T) {
	t.Parallel()
	var keyset strings.Builder
	require.NoError(t, makeKeyset(t.Context(), options{}, &keyset))
	for _, key := range [][]string{{"-encrypt"}, {"-keyset", writeFile(t, keyset.String())}} {
		stdout, stderr, status := runApp(t.Context(), append(key, "-show-wire")...)
		require.Equal(t, statusOK, status, stderr)
		assert.Contains(t, stdout, "\nlength    7542, the proven optimum\n")
		assert.Regexp(t, `"type":"tsp\.Problem", ?\n? *"encoding":\["aead"\], ?\n? *"data":"`, stdout)
		assert.NotContains(t, stdout, `"start"`)
		assert.NotContains(t, stdout, `"cities"`)
		assert.NotContains(t, stdout, `"order"`)
	}
}

func TestDemoDrawsTheTour(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "berlin52.svg")
	stdout := assertSolves(t, "-svg", path)
	assert.True(t, strings.HasSuffix(stdout, "picture   "+path+"\n"))
	picture, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 52, strings.Count(string(picture), "<circle "))
	assert.Contains(t, string(picture), "length 7542, the proven optimum")
}

func TestSendAndWorkers(t *testing.T) {
	t.Parallel()
	broker := "redis://" + miniredis.RunT(t).Addr()
	var keyset strings.Builder
	require.NoError(t, makeKeyset(t.Context(), options{}, &keyset))
	key := writeFile(t, keyset.String())
	assertSendsToWorkers(t, "-broker", broker)
	assertSendsToWorkers(t, "-broker", broker, "-keyset", key)
	assertSendsToWorkers(t, "-broker", broker, "-backend", "redis://"+miniredis.RunT(t).Addr(), "-queue", "another")
}

// assertSendsToWorkers has two workers solve a problem, and stops them.
func assertSendsToWorkers(t *testing.T, addresses ...string) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var workers sync.WaitGroup
	var outs [2]output
	for i, name := range []string{"one", "two"} {
		workers.Go(func() {
			status := run(ctx, append([]string{"worker", "-name", name}, addresses...), &outs[i], &outs[i])
			assert.Equal(t, statusOK, status, outs[i].String())
		})
	}

	stdout := assertSolves(t, append([]string{"send"}, addresses...)...)
	interrupt()
	workers.Wait()
	assert.Regexp(t, `\nworkers   (one ran \d+(, two ran \d+)?|two ran \d+)\n`, stdout)
	for i, name := range []string{"one", "two"} {
		assert.Contains(t, outs[i].String(), name+" waits for tasks of ")
		assert.Contains(t, outs[i].String(), name+" stops after ")
	}
	if !strings.Contains(stdout, "broker    amqp") || strings.Contains(stdout, "results in") {
		assert.Contains(t, stdout, "64 of 64 tours, the best 7542 long\n")
	}
}

func TestSendGivesUp(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := runApp(t.Context(), "send", "-broker", "redis://"+miniredis.RunT(t).Addr(), "-timeout", "10ms")
	assert.Equal(t, statusFailed, status)
	assert.NotContains(t, stdout, "length")
	assert.Equal(t, "example_app: no result in time: do workers run on this broker and queue, with the same keyset?\n", stderr)
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := runApp(t.Context(), "-broker", "http://localhost")
	assert.Equal(t, statusUsage, status)
	assert.Empty(t, stdout)
	assert.Equal(t, `example_app: -broker: unknown scheme "http", want redis://host:port or amqp://host:port; see example_app demo -h`+"\n", stderr)

	stdout, stderr, status = runApp(t.Context(), "solve")
	assert.Equal(t, statusUsage, status)
	assert.Empty(t, stdout)
	assert.Equal(t, `example_app: unknown command "solve", want demo, worker, send, keyset or help`+"\n", stderr)
}

func TestRunShowsUsages(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"-h"}, {"help"}, {"demo", "-h"}, {"-tasks", "3", "--help"}} {
		stdout, stderr, status := runApp(t.Context(), arguments...)
		assert.Equal(t, statusOK, status)
		assert.Empty(t, stderr)
		assert.Equal(t, usage, stdout)
	}
	stdout, _, status := runApp(t.Context(), "worker", "-h")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, workerUsage, stdout)
}

func TestRunWithoutItsBroker(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"demo", "worker", "send"} {
		for _, scheme := range []string{"redis", "amqp"} {
			t.Run(command+" "+scheme, func(t *testing.T) {
				// Nobody listens on port 1.
				stdout, stderr, status := runApp(t.Context(), command, "-broker", scheme+"://user:secret@127.0.0.1:1/")
				assert.Equal(t, statusFailed, status)
				assert.Empty(t, stdout)
				assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
				assert.Contains(t, stderr, "example_app: cannot reach "+scheme+"://127.0.0.1:1/: ")
				assert.NotContains(t, stderr, "secret")
			})
		}
	}
}

func TestRunInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	out := &output{at: "of 64 tours", act: interrupt}
	var stderr strings.Builder
	status := run(ctx, nil, out, &stderr)
	assert.Equal(t, statusInterrupted, status)
	assert.Equal(t, "example_app: interrupted\n", stderr.String())
	assert.NotContains(t, out.String(), "length")
}

// output is what several goroutines write. It acts when a text appears.
type output struct {
	mutex sync.Mutex
	text  strings.Builder
	at    string
	act   func()
}

func (o *output) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.act != nil && strings.Contains(string(text), o.at) {
		o.act()
	}
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

func runApp(ctx context.Context, arguments ...string) (stdout, stderr string, status int) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out, complaints strings.Builder
	status = run(ctx, arguments, &out, &complaints)
	return out.String(), complaints.String(), status
}
