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
	// The first signal ends the demo in good order; the next one is not caught any more, and ends it at once.
	context.AfterFunc(ctx, stop)
	quietMachinery(os.Stderr)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	options, err := parseOptions(arguments)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return statusOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "example_app:", err)
		return statusUsage
	}

	err = demonstrate(ctx, options, stdout)
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "example_app: interrupted")
		return statusInterrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "example_app:", err)
		return statusFailed
	}
	return statusOK
}
