package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestParseOptions(t *testing.T) {
	options, err := parseOptions(nil)
	require.NoError(t, err)
	assert.Equal(t, "berlin52", options.problem.Name)
	assert.Equal(t, 7542, options.problem.Optimum)
	assert.Equal(t, "embedded Redis", options.transport.String())

	options, err = parseOptions([]string{"-problem", writeFile(t, square), "-broker", "redis://user:secret@host:1/2"})
	require.NoError(t, err)
	assert.Equal(t, "square", options.problem.Name)
	assert.Zero(t, options.problem.Optimum)
	assert.Equal(t, "redis://host:1/2", options.transport.String())

	options, err = parseOptions([]string{"-broker", "amqp://user:secret@host/vhost"})
	require.NoError(t, err)
	assert.Equal(t, "amqp://host/vhost", options.transport.String())
}

func TestParseOptionsRefuses(t *testing.T) {
	directory := t.TempDir()
	missing := filepath.Join(directory, "missing.tsp")
	bad := writeFile(t, "EDGE_WEIGHT_TYPE: GEO\n")
	tests := map[string]struct {
		arguments []string
		want      string
	}{
		"unknown flag":   {[]string{"-workers", "3"}, "flag provided but not defined: -workers"},
		"flag alone":     {[]string{"-problem"}, "flag needs an argument: -problem"},
		"argument":       {[]string{"berlin52.tsp"}, `unexpected argument "berlin52.tsp"`},
		"missing file":   {[]string{"-problem", missing}, `invalid value "` + missing + `" for flag -problem: open ` + missing + `: no such file or directory`},
		"directory":      {[]string{"-problem", directory}, `invalid value "` + directory + `" for flag -problem: read ` + directory + `: is a directory`},
		"bad file":       {[]string{"-problem", bad}, `invalid value "` + bad + `" for flag -problem: line 1: EDGE_WEIGHT_TYPE is "GEO", want EUC_2D`},
		"unknown scheme": {[]string{"-broker", "kafka://localhost"}, `invalid value for flag -broker: unknown scheme "kafka", want embedded, redis://host:port or amqp://host:port`},
		"no broker":      {[]string{"-broker", ""}, `invalid value for flag -broker: unknown scheme "", want embedded, redis://host:port or amqp://host:port`},
		"no url":         {[]string{"-broker", "redis://:secret/@localhost"}, "invalid value for flag -broker: not a url like redis://host:port or amqp://host:port"},
		"no database":    {[]string{"-broker", "redis://localhost/zero"}, `invalid value for flag -broker: redis: invalid database number: "zero"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseOptions(test.arguments)
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestParseOptionsAskedForHelp(t *testing.T) {
	_, err := parseOptions([]string{"-h"})
	assert.ErrorIs(t, err, flag.ErrHelp)
}
