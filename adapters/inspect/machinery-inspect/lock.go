package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

// standardInput stands for a file on the command line.
const standardInput = "-"

// lockCheck compares two locks.
type lockCheck struct {
	old, new string
	asJSON   bool
}

// run writes what has changed. It returns what the program exits with.
func (c lockCheck) run(stdin io.Reader, stdout io.Writer) (int, error) {
	old, err := readLock(c.old, stdin)
	if err != nil {
		return 0, err
	}
	new, err := readLock(c.new, stdin)
	if err != nil {
		return 0, err
	}
	changes := wirelock.Compare(old, new)
	write := writeText
	if c.asJSON {
		write = writeJSON
	}
	if err := write(stdout, changes); err != nil {
		return 0, err
	}
	if wirelock.Verdict(changes) == wirelock.Breaking {
		return statusBreaking, nil
	}
	return statusOK, nil
}

func readLock(file string, stdin io.Reader) (*wireschema.Schema, error) {
	var text []byte
	var err error
	if file == standardInput {
		file = "standard input"
		text, err = io.ReadAll(stdin)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	s, err := wireschema.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// writeText writes the changes as a test that fails has them.
func writeText(out io.Writer, changes []wirelock.Change) error {
	var text strings.Builder
	for _, c := range changes {
		text.WriteString(c.String() + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// The changes as JSON.
type (
	verdictJSON struct {
		Verdict string       `json:"verdict"`
		Changes []changeJSON `json:"changes"`
	}
	changeJSON struct {
		Kind   string   `json:"kind"`
		Where  string   `json:"where"`
		What   string   `json:"what"`
		Hurt   []string `json:"hurt"`
		Remedy string   `json:"remedy"`
		Order  string   `json:"order"`
	}
)

func writeJSON(out io.Writer, changes []wirelock.Change) error {
	all := verdictJSON{wirelock.Verdict(changes).String(), []changeJSON{}}
	for _, c := range changes {
		hurt := append([]string{}, c.Hurt...) // a list, never null
		all.Changes = append(all.Changes, changeJSON{c.Kind.String(), c.Where, c.What, hurt, c.Remedy, c.Order})
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}
