package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

const (
	mostTasks   = 10_000
	mostWorkers = 100
	mostCities  = 100_000
)

// options is what a command line asks for. Not every command has all of them.
type options struct {
	transports []*transport
	encryption []envelope.Option

	problem  Problem
	tasks    int
	seed     uint64
	timeout  time.Duration
	svg      string
	showWire bool

	// workers is how many are in this process, and concurrency how many tasks each runs at once.
	workers     int
	concurrency int
	name        string
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

func (f *flags) addConcurrency() { f.IntVar(&f.options.concurrency, "concurrency", 2, "") }

// parseDemo reads the flags of the command demo. Errors are the user's, each in one line.
func parseDemo(arguments []string) (options, error) {
	f := newFlags()
	f.addProblem()
	f.addConcurrency()
	f.IntVar(&f.options.workers, "workers", 2, "")
	if err := f.parse(arguments); err != nil {
		return options{}, err
	}
	if err := within("workers", f.options.workers, mostWorkers); err != nil {
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

func (f *flags) checkConcurrency() error {
	return within("concurrency", f.options.concurrency, mostWorkers)
}

func within(flag string, value, most int) error {
	if value < 1 || value > most {
		return fmt.Errorf("-%s is %d, want 1 to %d", flag, value, most)
	}
	return nil
}

func (f *flags) readProblem() error {
	if err := within("tasks", f.options.tasks, mostTasks); err != nil {
		return err
	}
	if f.options.timeout <= 0 {
		return fmt.Errorf("-timeout is %s, want more than nothing", f.options.timeout)
	}
	var err error
	switch {
	case f.file != "" && f.isSet("cities"):
		return errors.New("-problem and -cities: want one of them")
	case f.file != "":
		f.options.problem, err = readFile(f.file)
	case !f.isSet("cities"):
		f.options.problem, err = berlin52()
	case f.cities < fewestCities || f.cities > mostCities:
		err = fmt.Errorf("-cities is %d, want %d to %d", f.cities, fewestCities, mostCities)
	default:
		f.options.problem = newRandomProblem(f.cities, f.options.seed)
	}
	return err
}

func readFile(path string) (Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return Problem{}, fmt.Errorf("-problem: %w", err)
	}
	defer file.Close()
	problem, err := parseProblem(file)
	if err != nil {
		return Problem{}, fmt.Errorf("-problem: %s: %w", path, err)
	}
	return problem, nil
}

func (f *flags) isSet(name string) bool {
	found := false
	f.Visit(func(set *flag.Flag) { found = found || set.Name == name })
	return found
}

// checkPicture finds out before the tasks are sent whether there is a place for the picture.
func (f *flags) checkPicture() error {
	if f.options.svg == "" {
		return nil
	}
	directory := filepath.Dir(f.options.svg)
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return fmt.Errorf("-svg: there is no directory %s", directory)
	}
	if info, err := os.Stat(f.options.svg); err == nil && info.IsDir() {
		return fmt.Errorf("-svg: %s is a directory", f.options.svg)
	}
	return nil
}

// makeKey reads the key, or makes one for this run alone.
func (f *flags) makeKey() error {
	if !f.encrypt || f.keyset != "" {
		return f.readKey()
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	f.options.encryption = append(f.options.encryption, envelope.EncryptAll(key))
	return nil
}

func (f *flags) readKey() error {
	if f.keyset == "" && f.encrypt {
		return errors.New("-encrypt needs -keyset file here: senders and workers share a key, " +
			"which example_app keyset makes")
	}
	if f.keyset == "" {
		return nil
	}
	key, err := readKey(f.keyset)
	if err != nil {
		return fmt.Errorf("-keyset: %w", err)
	}
	f.options.encryption = append(f.options.encryption, envelope.EncryptAll(key))
	return nil
}

func (f *flags) makeTransports() error {
	isDemo := f.options.workers > 0
	switch {
	case len(f.brokers) == 0:
		return errors.New("-broker is missing: redis://host:port or amqp://host:port, the one that the other side has")
	case strings.Contains(" "+strings.Join(f.brokers, " ")+" ", " "+embedded+" ") && !isDemo, f.backend == embedded:
		return errors.New("an embedded Redis serves only the process that it is in: want redis://host:port or amqp://host:port")
	}
	for _, broker := range f.brokers {
		queue := queue{name: f.queue}
		if isDemo {
			queue = newPassingQueue()
		}
		transport, err := newTransport(broker, f.backend, queue)
		if err != nil {
			return err
		}
		f.options.transports = append(f.options.transports, transport)
	}
	return nil
}
