package envelope

import (
	"slices"
	"strconv"
	"strings"
)

// Paths longer than this are shown with their middle left out.
const shownSegments = 32

// anyKey stands for a map key in paths: keys are values, and values are never shown.
const anyKey = "[…]"

// A located error collects, innermost first, the steps from the root to a fault while it unwinds.
type located struct {
	steps []string
	err   error
}

func (l *located) Error() string { return l.path() + ": " + l.err.Error() }
func (l *located) Unwrap() error { return l.err }

// within adds the step that led to err.
func within(step string, err error) error {
	l, ok := err.(*located)
	if !ok {
		l = &located{err: err}
	}
	l.steps = append(l.steps, step)
	return l
}

func withinField(name string, err error) error { return within("."+name, err) }
func withinElement(index int, err error) error { return within("["+strconv.Itoa(index)+"]", err) }
func withinEntry(err error) error              { return within(anyKey, err) }
func withinDynamic(wireType string, err error) error {
	return within(".("+wireType+")", err)
}

func (l *located) path() string {
	steps := slices.Clone(l.steps)
	slices.Reverse(steps)
	return joinSteps(steps)
}

func joinSteps(steps []string) string {
	if len(steps) <= shownSegments {
		return strings.Join(steps, "")
	}
	half := shownSegments / 2
	return strings.Join(steps[:half], "") + "…" + strings.Join(steps[len(steps)-half:], "")
}

// rooted makes the public error of one that unwound to the value of the given type.
func rooted(typeName string, err error) error {
	if err == nil {
		return nil
	}
	if whole, ok := err.(*Error); ok {
		return whole
	}
	result := &Error{Type: typeName, Err: err}
	if l, ok := err.(*located); ok {
		result.Path, result.Err = l.path(), l.err
	}
	if result.Path != "" {
		result.Type = strings.TrimLeft(typeName, "*")
	}
	return result
}
