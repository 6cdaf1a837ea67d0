package inspect

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// What the command exits with.
const (
	StatusOK          = 0
	StatusPartly      = 1   // some were left as they are, or the answer was no
	StatusUsage       = 2   // the command line or a filter could not be understood
	StatusNotFound    = 3   // no such queue, task, group or letter
	StatusUnsupported = 4   // the broker cannot tell or do it
	StatusFailed      = 5   // a server failed or could not be reached
	StatusInterrupted = 130 // by SIGINT or SIGTERM; watch and serve end with StatusOK then
)

// A Command is the command line: it shows what is in the queues, and acts on it. The zero value has no sources.
type Command struct {
	// Name is what usage and errors call the program; machinery-inspect where empty.
	Name string
	// Registry decodes arguments and results. Where it is nil, the headers of envelopes and JSON in clear text are shown.
	Registry *envelope.Registry
	// Sources are what the command looks at, each with a name of its own.
	Sources []Source
	// Flags adds flags that stand before the command's name; nil where there are none. Usage lists them.
	Flags func(*flag.FlagSet)
	// Open returns more sources, once the flags are read; nil where there are none. The caller closes what they hold.
	Open func(context.Context) ([]Source, error)
	// Stdin, Stdout and Stderr are os.Stdin, os.Stdout and os.Stderr where they are nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Main runs the command on the program's arguments and exits with its status. The registry, which decodes what is shown,
// may be nil. It is all that the main function of an application's own machinery-inspect has to call. Where the command is
// a part of a program, use [Command.Run].
func Main(registry *envelope.Registry, sources ...Source) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the command in good order, the next one at once.
	context.AfterFunc(ctx, stop)
	c := Command{Registry: registry, Sources: sources}
	os.Exit(c.Run(ctx, os.Args[1:]))
}

// Run runs the command on arguments, which do not have the program's name, and returns what to exit with. What is to be
// read goes to Stdout, and what went wrong to Stderr.
func (c *Command) Run(ctx context.Context, arguments []string) (status int) {
	run := c.withDefaults()
	i, err := run.parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(run.Stdout, run.usage(i.subcommand))
		return StatusOK
	}
	if err == nil {
		err = i.run(ctx)
	}
	status = statusOf(ctx, err)
	switch {
	case status == StatusUsage:
		fmt.Fprintf(run.Stderr, "%s: %v; see %s help\n", run.Name, err, run.Name)
	case status == StatusInterrupted:
		fmt.Fprintf(run.Stderr, "%s: interrupted\n", run.Name)
	case err != nil:
		fmt.Fprintf(run.Stderr, "%s: %s\n", run.Name, printable(err.Error()))
	}
	return status
}

func (c *Command) withDefaults() *Command {
	run := *c
	run.Name = cmp.Or(c.Name, "machinery-inspect")
	if run.Stdin == nil {
		run.Stdin = os.Stdin
	}
	if run.Stdout == nil {
		run.Stdout = os.Stdout
	}
	if run.Stderr == nil {
		run.Stderr = os.Stderr
	}
	return &run
}

// UsageError is an error of whoever wrote the command line. Where [Command.Open] returns one, the command exits with
// StatusUsage.
type UsageError string

// Error implements error.
func (e UsageError) Error() string { return string(e) }

func usagef(format string, values ...any) error { return UsageError(fmt.Sprintf(format, values...)) }

// errPartly says that not all was done, and errNotAgreed that nothing was, because whoever was asked did not say yes.
var (
	errPartly    = errors.New("some were left as they are")
	errNotAgreed = errors.New("nothing done, because the answer was not yes; -yes acts without asking")
)

func statusOf(ctx context.Context, err error) int {
	var usage UsageError
	var filter *FilterError
	switch {
	case err == nil:
		return StatusOK
	case ctx.Err() != nil:
		return StatusInterrupted
	case errors.As(err, &usage), errors.As(err, &filter):
		return StatusUsage
	case errors.Is(err, errPartly), errors.Is(err, errNotAgreed):
		return StatusPartly
	case errors.Is(err, ErrNotFound), errors.Is(err, deadletter.ErrNotFound):
		return StatusNotFound
	case errors.Is(err, ErrUnsupported):
		return StatusUnsupported
	}
	return StatusFailed
}

// invocation is one run of the command.
type invocation struct {
	*Command
	subcommand *subcommand
	sources    []Source
	arguments  []string
	filter     Filter
	values     flagValues
}

func (i *invocation) run(ctx context.Context) error {
	if i.subcommand.needs == nothing {
		return i.subcommand.run(i, ctx)
	}
	i.sources = i.Sources
	if i.Open != nil {
		opened, err := i.Open(ctx)
		if err != nil {
			return err
		}
		i.sources = append(i.sources[:len(i.sources):len(i.sources)], opened...)
	}
	if err := i.chooseSource(); err != nil {
		return err
	}
	if err := chooseQueue(ctx, i); err != nil {
		return err
	}
	return i.subcommand.run(i, ctx)
}
