package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `Solves a travelling-salesman problem with Machinery tasks that take and return Go types.

usage: example_app [-broker url] [-problem file]

  -broker url    redis://host:port/database, amqp://user:password@host:port/vhost,
                 or embedded, a Redis inside this process (the default)
  -problem file  a TSPLIB file with coordinates of EDGE_WEIGHT_TYPE EUC_2D
                 (by default berlin52, which is built in)
`

type options struct {
	problem   Problem
	transport transport
}

// parseOptions reads the command line. Its errors are the user's, each in one line.
func parseOptions(arguments []string) (options, error) {
	flags := flag.NewFlagSet("example_app", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	broker := flags.String("broker", "embedded", "")
	problem, err := berlin52()
	if err != nil {
		return options{}, fmt.Errorf("berlin52: %w", err)
	}
	flags.Func("problem", "", func(path string) error {
		problem, err = readProblem(path)
		return err
	})

	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	transport, err := newTransport(*broker)
	if err != nil {
		return options{}, fmt.Errorf("invalid value for flag -broker: %w", err)
	}
	return options{problem: problem, transport: transport}, nil
}

func readProblem(path string) (Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return Problem{}, err
	}
	defer file.Close()
	return parseProblem(file)
}
