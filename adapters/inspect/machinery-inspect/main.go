// Command machinery-inspect shows what is in the queues of an application on Redis or RabbitMQ, and acts on it:
//
//	machinery-inspect -redis redis://localhost:6379 queues
//	machinery-inspect -amqp amqp://guest:guest@localhost:5672/ dead -queue orders -filter 'age > 2h'
//
// It has no registry, so it shows the headers of envelopes, and payloads that are JSON in clear text, secret ones too. An
// application decodes them by a command of its own, which is inspect.Main of its registry and sources.
//
// Its subcommand lock check looks at what an application puts on the wire: it compares two locks of package wirelock where
// no test does, in CI or before a release.
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

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// What lock check exits with.
const (
	statusOK       = 0
	statusBreaking = 1
	statusUsage    = 2
)

const lockUsage = `Compares two locks of the wire: the files that wirelock.Check writes, or schema.JSON().

usage: machinery-inspect lock check [-json] old new

Writes what has changed from old to new, who is hurt by it, what to do instead, and in which order to deploy. One of the
two may be -, for standard input. Upgrades are not tried: wirelock.Check does that.

  -json   writes one JSON object: {"verdict", "changes": [{"kind", "where", "what", "hurt", "remedy", "order"}]}

exit status: 0 if nothing has changed, or all is compatible or ordered; 1 if a change is breaking; 2 if a file cannot be
read or the command is not understood.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the program in good order, the next one at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(arguments) > 0 && arguments[0] == "lock" {
		return runLock(arguments, stdin, stdout, stderr)
	}
	var s servers
	defer s.close()
	command := inspect.Command{Flags: s.addTo, Open: s.open, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	status := command.Run(ctx, arguments)
	if len(arguments) > 0 && isHelp(arguments[0]) {
		fmt.Fprint(stdout, "\nmachinery-inspect lock check -h tells how to compare locks of the wire.\n")
	}
	return status
}

func runLock(arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	check, err := parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, lockUsage)
		return statusOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "machinery-inspect: %v; see machinery-inspect lock check -h\n", err)
		return statusUsage
	}
	status, err := check.run(stdin, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "machinery-inspect: %v\n", err)
		return statusUsage
	}
	return status
}

func isHelp(argument string) bool {
	return argument == "help" || argument == "-h" || argument == "-help" || argument == "--help"
}

// parse reads the command line of lock check. Its errors are the user's, each in one line.
func parse(arguments []string) (lockCheck, error) {
	if len(arguments) < 2 || arguments[1] != "check" {
		return lockCheck{}, fmt.Errorf("unknown command %q, want lock check", strings.Join(arguments[:min(2, len(arguments))], " "))
	}
	var c lockCheck
	flags := flag.NewFlagSet("machinery-inspect lock check", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.asJSON, "json", false, "")
	if err := flags.Parse(arguments[2:]); err != nil {
		return lockCheck{}, err
	}
	if flags.NArg() != 2 {
		return lockCheck{}, fmt.Errorf("want two files, old and new, after the flags; got %d", flags.NArg())
	}
	c.old, c.new = flags.Arg(0), flags.Arg(1)
	if c.old == standardInput && c.new == standardInput {
		return lockCheck{}, errors.New("one of the files alone may be standard input")
	}
	return c, nil
}
