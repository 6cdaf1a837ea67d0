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

// A pathError is a fault and the steps that lead to it from the root, innermost first. They are added while the error
// is returned from call to call.
type pathError struct {
	steps []string
	err   error
}

func (p *pathError) Error() string { return p.path() + ": " + p.err.Error() }
func (p *pathError) Unwrap() error { return p.err }

// within adds the step that led to err.
func within(step string, err error) error {
	p, ok := err.(*pathError)
	if !ok {
		p = &pathError{err: err}
	}
	p.steps = append(p.steps, step)
	return p
}

func withinField(name string, err error) error { return within("."+name, err) }
func withinElement(index int, err error) error { return within("["+strconv.Itoa(index)+"]", err) }
func withinEntry(err error) error              { return within(anyKey, err) }
func withinDynamic(wireType string, err error) error {
	return within(".("+wireType+")", err)
}

func (p *pathError) path() string {
	steps := slices.Clone(p.steps)
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

// rooted makes the public error of one that was returned up to the outermost value, whose type has the given name.
func rooted(typeName string, err error) error {
	if err == nil {
		return nil
	}
	if whole, ok := err.(*Error); ok {
		return whole
	}
	result := &Error{Type: typeName, Err: err}
	if p, ok := err.(*pathError); ok {
		result.Path, result.Err = p.path(), p.err
	}
	if result.Path != "" {
		result.Type = strings.TrimLeft(typeName, "*")
	}
	return result
}
