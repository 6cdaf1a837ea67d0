package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// options is what a command line asks for. Not every command has all of them.
type options struct {
	transports []*transport
	encryption []envelope.Option

	problem  tsp.Problem
	tasks    int
	seed     uint64
	timeout  time.Duration
	svg      string
	showWire bool

	// workers is how many are in this process, and concurrency how many tasks each runs at once.
	workers     int
	concurrency int
	name        string

	// inspect is where the page listens, empty for none, and readOnly lets everybody see it and nobody act.
	inspect  string
	readOnly bool
}

// flags is what is written on a command line, before it has been made sense of.
type flags struct {
	*flag.FlagSet
	options options

	brokers []string
	backend string
	queue   string
	encrypt bool
	keyset  string
	file    string
	cities  int
}

func newFlags() *flags {
	f := &flags{FlagSet: flag.NewFlagSet("example_app", flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	f.Func("broker", "", func(address string) error {
		f.brokers = append(f.brokers, address)
		return nil
	})
	f.StringVar(&f.backend, "backend", "", "")
	f.BoolVar(&f.encrypt, "encrypt", false, "")
	f.StringVar(&f.keyset, "keyset", "", "")
	return f
}

// addProblem adds what demo and send have in common.
func (f *flags) addProblem() {
	f.StringVar(&f.file, "problem", "", "")
	f.IntVar(&f.cities, "cities", 0, "")
	f.Uint64Var(&f.options.seed, "seed", 1, "")
	f.IntVar(&f.options.tasks, "tasks", 64, "")
	f.DurationVar(&f.options.timeout, "timeout", 10*time.Minute, "")
	f.StringVar(&f.options.svg, "svg", "", "")
	f.BoolVar(&f.options.showWire, "show-wire", false, "")
}

func (f *flags) addQueue() { f.StringVar(&f.queue, "queue", sharedQueue, "") }

func (f *flags) addInspect() {
	f.StringVar(&f.options.inspect, "inspect", "", "")
	f.BoolVar(&f.options.readOnly, "inspect-read-only", false, "")
}

func (f *flags) addConcurrency() { f.IntVar(&f.options.concurrency, "concurrency", 2, "") }

// parseDemo reads the flags of the command demo. Errors are the user's, each in one line.
func parseDemo(arguments []string) (options, error) {
	f := newFlags()
	f.addProblem()
	f.addConcurrency()
	f.addInspect()
	f.IntVar(&f.options.workers, "workers", 2, "")
	if err := f.parse(arguments); err != nil {
		return options{}, err
	}
	if err := within("workers", f.options.workers, maxWorkers); err != nil {
		return options{}, err
	}
	return f.finish(embedded, f.readProblem, f.checkConcurrency, f.checkPicture, f.makeKey, f.makeTransports)
}

// parseSend reads the flags of the command send.
func parseSend(arguments []string) (options, error) {
	f := newFlags()
	f.addProblem()
	f.addQueue()
	if err := f.parse(arguments); err != nil {
		return options{}, err
	}
	return f.finish("", f.readProblem, f.checkPicture, f.readKey, f.makeTransports)
}

// parseWorker reads the flags of the command worker.
func parseWorker(arguments []string) (options, error) {
	f := newFlags()
	f.addQueue()
	f.addConcurrency()
	f.addInspect()
	host, _ := os.Hostname()
	f.StringVar(&f.options.name, "name", "worker-"+host, "")
	if err := f.parse(arguments); err != nil {
		return options{}, err
	}
	if len(f.brokers) > 1 {
		return options{}, errors.New("-broker: a worker has one: start another worker for the other broker")
	}
	return f.finish("", f.checkConcurrency, f.readKey, f.makeTransports)
}

// parseKeyset reads the flags of the command keyset: it has none but -h.
func parseKeyset(arguments []string) (options, error) {
	f := &flags{FlagSet: flag.NewFlagSet("example_app", flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	return options{}, f.parse(arguments)
}

func (f *flags) parse(arguments []string) error {
	if err := f.Parse(arguments); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return nil
}

// finish takes the steps that make options of flags.
func (f *flags) finish(broker string, steps ...func() error) (options, error) {
	if len(f.brokers) == 0 && broker != "" {
		f.brokers = []string{broker}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return options{}, err
		}
	}
	return f.options, nil
}
