package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

const (
	maxTasks   = 10_000
	maxWorkers = 100
	maxCities  = 100_000
)

func (f *flags) checkConcurrency() error {
	return within("concurrency", f.options.concurrency, maxWorkers)
}

func within(flag string, value, limit int) error {
	if value < 1 || value > limit {
		return fmt.Errorf("-%s is %d, want 1 to %d", flag, value, limit)
	}
	return nil
}

func (f *flags) readProblem() error {
	if err := within("tasks", f.options.tasks, maxTasks); err != nil {
		return err
	}
	if f.options.timeout <= 0 {
		return fmt.Errorf("-timeout is %s, want more than nothing", f.options.timeout)
	}
	var err error
	switch {
	case f.isSet("problem") && f.isSet("cities"):
		return errors.New("-problem and -cities: want one of them")
	case f.isSet("problem"):
		f.options.problem, err = readFile(f.file)
	case !f.isSet("cities"):
		f.options.problem, err = tsp.Berlin52()
	case f.cities < tsp.MinCities || f.cities > maxCities:
		err = fmt.Errorf("-cities is %d, want %d to %d", f.cities, tsp.MinCities, maxCities)
	default:
		f.options.problem = tsp.NewRandomProblem(f.cities, f.options.seed)
	}
	return err
}

func readFile(path string) (tsp.Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return tsp.Problem{}, fmt.Errorf("-problem: %w", err)
	}
	defer file.Close()
	problem, err := tsp.ParseProblem(file)
	if err != nil {
		return tsp.Problem{}, fmt.Errorf("-problem: %s: %w", path, err)
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
	case slices.Contains(f.brokers, embedded) && !isDemo, f.backend == embedded:
		return errors.New("an embedded Redis serves only the process that it is in: want redis://host:port or amqp://host:port")
	}
	for _, broker := range f.brokers {
		queue := queue{name: f.queue}
		if isDemo {
			queue = newTemporaryQueue()
		}
		transport, err := newTransport(broker, f.backend, queue)
		if err != nil {
			return err
		}
		f.options.transports = append(f.options.transports, transport)
	}
	return nil
}
