package tsp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MinCities is how many cities ParseProblem wants at least.
	MinCities = 3
	// maxCoordinate keeps distances and lengths exact: they fit an integer with room to spare.
	maxCoordinate = 1e9
)

// tsplibFile is what has been read of a file in TSPLIB's format: lines of "KEY: value", then a section with a line
// "node x y" for each city.
type tsplibFile struct {
	name       string
	weightType string
	dimension  int
	inSection  bool
	ended      bool
	cities     map[int]City
}

// ParseProblem reads a TSPLIB file of cities in the plane, those of EDGE_WEIGHT_TYPE EUC_2D. An error names the line.
func ParseProblem(r io.Reader) (Problem, error) {
	file := tsplibFile{name: "unnamed", cities: make(map[int]City)}
	lines := bufio.NewScanner(r)
	number := 0
	for !file.ended && lines.Scan() {
		number++
		if err := file.readLine(strings.TrimSpace(lines.Text())); err != nil {
			return Problem{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return Problem{}, fmt.Errorf("line %d is too long", number+1)
	}
	if lines.Err() != nil {
		return Problem{}, lines.Err()
	}
	return file.problem()
}

func (f *tsplibFile) readLine(line string) error {
	switch {
	case line == "":
		return nil
	case line == "EOF":
		f.ended = true
		return nil
	case f.inSection:
		return f.readCity(strings.Fields(line))
	}

	key, value, isPair := strings.Cut(line, ":")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if key == "NODE_COORD_SECTION" {
		return f.beginSection()
	}
	if !isPair {
		return fmt.Errorf("want \"KEY: value\", got %.40q", line)
	}
	return f.readPair(key, value)
}

func (f *tsplibFile) readPair(key, value string) error {
	switch key {
	case "NAME":
		return f.readName(value)
	case "TYPE":
		// Some files add their author's name to the type.
		if kind, _, _ := strings.Cut(value, " "); kind != "TSP" {
			return fmt.Errorf("TYPE is %.40q, want TSP", value)
		}
	case "EDGE_WEIGHT_TYPE":
		if value != "EUC_2D" {
			return fmt.Errorf("EDGE_WEIGHT_TYPE is %.40q, want EUC_2D", value)
		}
		f.weightType = value
	case "DIMENSION":
		return f.readDimension(value)
	}
	return nil
}

func (f *tsplibFile) readName(value string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unprintable) {
		return fmt.Errorf("NAME %.40q is not plain text", value)
	}
	f.name = value
	return nil
}

func (f *tsplibFile) readDimension(value string) error {
	dimension, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("DIMENSION is %.40q, want a number", value)
	}
	if dimension < MinCities {
		return fmt.Errorf("DIMENSION is %d, want %d cities at least", dimension, MinCities)
	}
	f.dimension = dimension
	return nil
}

func (f *tsplibFile) beginSection() error {
	if f.weightType == "" {
		return errors.New("no EDGE_WEIGHT_TYPE before the coordinates")
	}
	if f.dimension == 0 {
		return errors.New("no DIMENSION before the coordinates")
	}
	f.inSection = true
	return nil
}

func (f *tsplibFile) readCity(fields []string) error {
	if len(fields) != 3 {
		return fmt.Errorf("want a node and two coordinates, got %d fields", len(fields))
	}
	node, err := strconv.Atoi(fields[0])
	if err != nil {
		return fmt.Errorf("node is %.40q, want a number", fields[0])
	}
	if node < 1 || node > f.dimension {
		return fmt.Errorf("node %d is not within 1 to %d, the DIMENSION", node, f.dimension)
	}
	if _, taken := f.cities[node]; taken {
		return fmt.Errorf("node %d appears twice", node)
	}
	x, err := parseCoordinate(fields[1])
	if err != nil {
		return err
	}
	y, err := parseCoordinate(fields[2])
	if err != nil {
		return err
	}
	f.cities[node] = City{X: x, Y: y}
	return nil
}

func parseCoordinate(field string) (float64, error) {
	coordinate, err := strconv.ParseFloat(field, 64)
	if err != nil || math.IsNaN(coordinate) {
		return 0, fmt.Errorf("coordinate is %.40q, want a number", field)
	}
	if math.Abs(coordinate) > maxCoordinate {
		return 0, fmt.Errorf("coordinate %.40s is beyond %g", field, maxCoordinate)
	}
	return coordinate, nil
}

func (f *tsplibFile) problem() (Problem, error) {
	if !f.inSection {
		return Problem{}, errors.New("no NODE_COORD_SECTION")
	}
	if len(f.cities) < f.dimension {
		return Problem{}, fmt.Errorf("DIMENSION is %d, but there are %d nodes: node %d is missing",
			f.dimension, len(f.cities), f.firstMissing())
	}

	problem := Problem{Name: f.name, Cities: make([]City, f.dimension), Optimum: optima[strings.TrimSuffix(f.name, ".tsp")]}
	for node, city := range f.cities {
		problem.Cities[node-1] = city
	}
	return problem, nil
}

func (f *tsplibFile) firstMissing() int {
	node := 1
	for _, found := f.cities[node]; found; _, found = f.cities[node] {
		node++
	}
	return node
}
