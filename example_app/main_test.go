package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	quietMachinery(os.Stderr)
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	assertSolves(t)
}

func TestRunOnRealServers(t *testing.T) {
	for _, variable := range []string{"REDIS_URL", "AMQP_URL"} {
		t.Run(variable, func(t *testing.T) {
			url := os.Getenv(variable)
			if url == "" && os.Getenv("CI") == "true" {
				t.Fatalf("%s is not set: CI must test on a real server", variable)
			}
			if url == "" {
				t.Skipf("%s is not set: no server to test on", variable)
			}
			assertSolves(t, "-broker", url)
		})
	}
}

func assertSolves(t *testing.T, arguments ...string) {
	stdout, stderr, status := runDemo(t.Context(), arguments...)
	require.Equal(t, statusOK, status, stderr)
	assert.Empty(t, stderr)

	assert.Contains(t, stdout, "problem   berlin52, 52 cities\n")
	assert.Contains(t, stdout, `{"$envelope":1,"type":"tsp.Problem","data":{"name":"berlin52","cities":[{"x":565,"y":575}`)
	assert.Contains(t, stdout, `{"$envelope":1,"type":"tsp.NearestNeighbour","data":{"start":0}}`)
	assert.Contains(t, stdout, "52 of 52 tours, the best 7542 long\n")
	assert.Contains(t, stdout, "keeps the one of 7542\n")
	assert.Contains(t, stdout, "length    7542, 0.00 % over the proven optimum of 7542\n")
	assert.Regexp(t, `\ntime      \d+\.\d\d s\n$`, stdout)
}

func TestRunCleansUp(t *testing.T) {
	server := miniredis.RunT(t)
	assertSolves(t, "-broker", "redis://"+server.Addr())
	for _, key := range server.Keys() {
		// What wakes up a worker that is to stop expires by itself.
		assert.Contains(t, key, ":wake:")
	}
}

func TestRunOnAProblemFromAFile(t *testing.T) {
	stdout, stderr, status := runDemo(t.Context(), "-problem", writeFile(t, square))
	require.Equal(t, statusOK, status, stderr)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "problem   square, 4 cities\n")
	assert.Regexp(t, regexp.MustCompile(`\ntour      1 (2 4 3|3 4 2)\n`), stdout)
	assert.Contains(t, stdout, "length    40, the optimum is not known\n")
}

func TestRunRefuses(t *testing.T) {
	stdout, stderr, status := runDemo(t.Context(), "-broker", "http://localhost")
	assert.Equal(t, statusUsage, status)
	assert.Empty(t, stdout)
	assert.Equal(t, "example_app: invalid value for flag -broker: unknown scheme \"http\", want embedded, redis://host:port or amqp://host:port\n", stderr)
}

func TestRunShowsItsUsage(t *testing.T) {
	stdout, stderr, status := runDemo(t.Context(), "-h")
	assert.Equal(t, statusOK, status)
	assert.Empty(t, stderr)
	assert.Equal(t, usage, stdout)
}

func TestRunWithoutItsBroker(t *testing.T) {
	for _, scheme := range []string{"redis", "amqp"} {
		t.Run(scheme, func(t *testing.T) {
			// Nobody listens on port 1.
			stdout, stderr, status := runDemo(t.Context(), "-broker", scheme+"://user:secret@127.0.0.1:1/")
			assert.Equal(t, statusFailed, status)
			assert.Empty(t, stdout)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.Contains(t, stderr, "example_app: cannot reach "+scheme+"://127.0.0.1:1/: ")
			assert.NotContains(t, stderr, "secret")
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out := &interruptingWriter{at: "of 52 tours", interrupt: interrupt}
	var stderr strings.Builder
	status := run(ctx, nil, out, &stderr)
	assert.Equal(t, statusInterrupted, status)
	assert.Equal(t, "example_app: interrupted\n", stderr.String())
	assert.NotContains(t, out.String(), "length")
}

// interruptingWriter cancels the demo when it writes some text.
type interruptingWriter struct {
	strings.Builder
	at        string
	interrupt context.CancelFunc
}

func (w *interruptingWriter) Write(text []byte) (int, error) {
	if strings.Contains(string(text), w.at) {
		w.interrupt()
	}
	return w.Builder.Write(text)
}

func runDemo(ctx context.Context, arguments ...string) (stdout, stderr string, status int) {
	var out, complaints strings.Builder
	status = run(ctx, arguments, &out, &complaints)
	return out.String(), complaints.String(), status
}
