package jsontext

import (
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A Nesting counts how deep arrays and objects lie in one another.
type Nesting struct{ depth, maxDepth int }

// NewNesting returns a Nesting at depth 0 that allows so many levels.
func NewNesting(maxDepth int) Nesting { return Nesting{maxDepth: maxDepth} }

// Depth returns how many levels were entered and not left yet.
func (n *Nesting) Depth() int { return n.depth }

// Enter goes one level deeper. It returns ErrLimit if that is too deep.
func (n *Nesting) Enter() error {
	n.depth++
	if n.depth > n.maxDepth {
		return n.tooDeep()
	}
	return nil
}

// Leave goes back to the level before the last Enter.
func (n *Nesting) Leave() { n.depth-- }

func (n *Nesting) tooDeep() error { return faults.Limited("MaxDepth", n.maxDepth) }
