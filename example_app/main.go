// Command example_app solves a travelling-salesman problem with tasks that take and return Go types of their own.
//
// It needs nothing but Go: without flags it starts a Redis of its own, in this process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// What the program exits with.
const (
	statusOK          = 0
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the program in good order; the next one is not caught any more, and ends it at once.
	context.AfterFunc(ctx, stop)
	quietMachinery(os.Stderr)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is one of the things that the program does.
type command struct {
	usage string
	// parse reads the flags, and run does what they ask for.
	parse func(arguments []string) (options, error)
	run   func(ctx context.Context, options options, out io.Writer) error
	// interrupted is what the program exits with when it is told to stop.
	interrupted int
}

var commands = map[string]command{
	"demo":   {usage, parseDemo, solveOnEach, statusInterrupted},
	"send":   {sendUsage, parseSend, solveOnEach, statusInterrupted},
	"worker": {workerUsage, parseWorker, work, statusOK},
	"keyset": {newKeysetUsage, parseKeyset, makeKeyset, statusInterrupted},
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	name := "demo"
	if len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") {
		name, arguments = arguments[0], arguments[1:]
	}
	if name == "help" {
		fmt.Fprint(stdout, usage)
		return statusOK
	}
	command, ok := commands[name]
	if !ok {
		fmt.Fprintf(stderr, "example_app: unknown command %q, want demo, worker, send, keyset or help\n", name)
		return statusUsage
	}

	options, err := command.parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, command.usage)
		return statusOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "example_app: %v; see example_app %s -h\n", err, name)
		return statusUsage
	}
	err = command.run(ctx, options, stdout)
	if ctx.Err() != nil && command.interrupted != statusOK {
		fmt.Fprintln(stderr, "example_app: interrupted")
		return command.interrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "example_app:", err)
		return statusFailed
	}
	return statusOK
}
