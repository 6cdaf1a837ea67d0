package wirelock

import (
	"fmt"
	"strings"
)

// Kind says what a change asks for. A higher one asks for more.
type Kind int

const (
	// Compatible changes hurt nobody: old and new processes read each other's messages.
	Compatible Kind = iota
	// Ordered changes hurt nobody if processes are deployed in the order that the change names.
	Ordered
	// Breaking changes hurt in every order: what was sent before is misread, or refused.
	Breaking
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Compatible:
		return "compatible"
	case Ordered:
		return "ordered"
	case Breaking:
		return "breaking"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// A Change is one difference between two schemas.
type Change struct {
	Kind Kind
	// Where is the place: "orders.Order.qty", "task orders.price, parameter 2", "settings".
	Where string
	// What has changed there.
	What string
	// Hurt says who would misread or refuse what; empty for a compatible change.
	Hurt []string
	// Remedy says how the change is made without that, Order in which order to deploy. Either may be empty.
	Remedy, Order string
}

// String returns the change as a few lines of text.
func (c Change) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s: %s", c.Kind, c.Where, c.What)
	for _, hurt := range c.Hurt {
		text.WriteString("\n    hurts   " + hurt)
	}
	if c.Remedy != "" {
		text.WriteString("\n    remedy  " + c.Remedy)
	}
	if c.Order != "" {
		text.WriteString("\n    order   " + c.Order)
	}
	return text.String()
}

// Verdict returns the highest kind among the changes: Compatible if there are none.
func Verdict(changes []Change) Kind {
	highest := Compatible
	for _, c := range changes {
		highest = max(highest, c.Kind)
	}
	return highest
}
