package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

const square = `NAME: square
DIMENSION: 4
EDGE_WEIGHT_TYPE: EUC_2D
NODE_COORD_SECTION
1 0 0
2 10 0
3 0 10
4 10 10
`

func writeFile(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "problem.tsp")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestParseDemo(t *testing.T) {
	options, err := parseDemo(nil)
	require.NoError(t, err)
	assert.Equal(t, "berlin52", options.problem.Name)
	assert.Equal(t, 7542, options.problem.Optimum)
	require.Len(t, options.transports, 1)
	assert.Equal(t, "embedded Redis", options.transports[0].String())
	assert.Equal(t, 2, options.workers)
	assert.Empty(t, options.encryption)

	options, err = parseDemo([]string{"-problem", writeFile(t, square), "-broker", "redis://user:secret@host:1/2", "-encrypt"})
	require.NoError(t, err)
	assert.Equal(t, "square", options.problem.Name)
	assert.Zero(t, options.problem.Optimum)
	assert.Equal(t, "redis://host:1/2", options.transports[0].String())
	assert.Len(t, options.encryption, 1)

	options, err = parseDemo([]string{"-cities", "5", "-seed", "3"})
	require.NoError(t, err)
	assert.Equal(t, tsp.NewRandomProblem(5, 3), options.problem)
}

func TestDemosDoNotMeet(t *testing.T) {
	one, err := parseDemo(nil)
	require.NoError(t, err)
	another, err := parseDemo(nil)
	require.NoError(t, err)
	assert.NotEqual(t, one.transports[0].queue, another.transports[0].queue)
}

func TestParseSendAndWorkerMeet(t *testing.T) {
	addresses := []string{"-broker", "amqp://user:secret@host/vhost", "-backend", "redis://:secret@other:1"}
	send, err := parseSend(addresses)
	require.NoError(t, err)
	worker, err := parseWorker(addresses)
	require.NoError(t, err)
	assert.Equal(t, "amqp://host/vhost, results in redis://other:1", send.transports[0].String())
	assert.Equal(t, send.transports, worker.transports)
	assert.Equal(t, queue{name: sharedQueue}, send.transports[0].queue)
	assert.Zero(t, send.workers)

	send, err = parseSend([]string{"-broker", "redis://one", "-broker", "redis://two", "-queue", "q"})
	require.NoError(t, err)
	require.Len(t, send.transports, 2)
	assert.Equal(t, "redis://two", send.transports[1].String())
	assert.Equal(t, queue{name: "q"}, send.transports[1].queue)
}

func TestKeysetsAreShared(t *testing.T) {
	var keyset strings.Builder
	require.NoError(t, makeKeyset(t.Context(), options{}, &keyset))
	path := writeFile(t, keyset.String())
	send, err := parseSend([]string{"-broker", "redis://host", "-keyset", path})
	require.NoError(t, err)
	assert.Len(t, send.encryption, 1)

	one, err := readKey(path)
	require.NoError(t, err)
	another, err := readKey(path)
	require.NoError(t, err)
	ciphertext, err := one.Encrypt([]byte("text"), nil)
	require.NoError(t, err)
	text, err := another.Decrypt(ciphertext, nil)
	require.NoError(t, err)
	assert.Equal(t, "text", string(text))
}

type parser func(arguments []string) (options, error)

func TestParsersRefuse(t *testing.T) {
	directory := t.TempDir()
	missing := filepath.Join(directory, "missing.tsp")
	bad := writeFile(t, "EDGE_WEIGHT_TYPE: GEO\n")
	const (
		noURL       = "not a url like redis://host:port or amqp://host:port"
		badScheme   = `unknown scheme "kafka", want redis://host:port or amqp://host:port`
		notEmbedded = "an embedded Redis serves only the process that it is in: want redis://host:port or amqp://host:port"
		noBroker    = "-broker is missing: redis://host:port or amqp://host:port, the one that the other side has"
	)
	tests := map[string]struct {
		parse     parser
		arguments []string
		want      string
	}{
		"unknown flag":       {parseDemo, []string{"-queue", "q"}, "flag provided but not defined: -queue"},
		"flag alone":         {parseDemo, []string{"-problem"}, "flag needs an argument: -problem"},
		"argument":           {parseDemo, []string{"-tasks", "3", "berlin52.tsp"}, `unexpected argument "berlin52.tsp"`},
		"missing file":       {parseDemo, []string{"-problem", missing}, "-problem: open " + missing + ": no such file or directory"},
		"directory":          {parseDemo, []string{"-problem", directory}, "-problem: " + directory + ": read " + directory + ": is a directory"},
		"bad file":           {parseDemo, []string{"-problem", bad}, "-problem: " + bad + `: line 1: EDGE_WEIGHT_TYPE is "GEO", want EUC_2D`},
		"two problems":       {parseDemo, []string{"-problem", bad, "-cities", "5"}, "-problem and -cities: want one of them"},
		"no cities":          {parseDemo, []string{"-cities", "0"}, "-cities is 0, want 3 to 100000"},
		"too many cities":    {parseDemo, []string{"-cities", "100001"}, "-cities is 100001, want 3 to 100000"},
		"no tasks":           {parseSend, []string{"-tasks", "0"}, "-tasks is 0, want 1 to 10000"},
		"no workers":         {parseDemo, []string{"-workers", "0"}, "-workers is 0, want 1 to 100"},
		"no concurrency":     {parseWorker, []string{"-concurrency", "-1"}, "-concurrency is -1, want 1 to 100"},
		"no time":            {parseDemo, []string{"-timeout", "0s"}, "-timeout is 0s, want more than nothing"},
		"no place":           {parseDemo, []string{"-svg", missing + "/out.svg"}, "-svg: there is no directory " + missing},
		"picture, directory": {parseDemo, []string{"-svg", directory}, "-svg: " + directory + " is a directory"},
		"unknown scheme":     {parseDemo, []string{"-broker", "kafka://localhost"}, "-broker: " + badScheme},
		"unknown backend":    {parseDemo, []string{"-backend", "kafka://localhost"}, "-backend: " + badScheme},
		"no URL":             {parseDemo, []string{"-broker", "redis://:secret/@localhost"}, "-broker: " + noURL},
		"no database":        {parseDemo, []string{"-broker", "redis://localhost/zero"}, `-broker: redis: invalid database number: "zero"`},
		"embedded sender":    {parseSend, []string{"-broker", "embedded"}, notEmbedded},
		"embedded results":   {parseDemo, []string{"-backend", "embedded"}, notEmbedded},
		"sender, no broker":  {parseSend, nil, noBroker},
		"worker, no broker":  {parseWorker, nil, noBroker},
		"two brokers":        {parseWorker, []string{"-broker", "redis://a", "-broker", "redis://b"}, "-broker: a worker has one: start another worker for the other broker"},
		"no keyset":          {parseSend, []string{"-encrypt", "-broker", "redis://a"}, "-encrypt needs -keyset file here: senders and workers share a key, which example_app keyset makes"},
		"missing keyset":     {parseDemo, []string{"-keyset", missing}, "-keyset: open " + missing + ": no such file or directory"},
		"bad keyset":         {parseDemo, []string{"-keyset", bad}, "-keyset: " + bad + " is not a keyset of Tink as JSON"},
		"keyset's argument":  {parseKeyset, []string{"out.json"}, `unexpected argument "out.json"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.parse(test.arguments)
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestParsersAreAskedForHelp(t *testing.T) {
	for name, parse := range map[string]parser{"demo": parseDemo, "send": parseSend, "worker": parseWorker, "keyset": parseKeyset} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]string{"-h"})
			assert.ErrorIs(t, err, flag.ErrHelp)
		})
	}
}

func TestUsagesListOnlyFlagsThatThereAre(t *testing.T) {
	flagLine := regexp.MustCompile(`(?m)^  -([a-z-]+) `)
	for name, command := range commands {
		for _, match := range flagLine.FindAllStringSubmatch(command.usage, -1) {
			_, err := command.parse([]string{"-" + match[1]})
			if err != nil {
				assert.NotContains(t, err.Error(), "not defined", "%s -%s", name, match[1])
			}
		}
	}
}
