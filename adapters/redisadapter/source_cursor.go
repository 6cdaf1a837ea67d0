package redisadapter

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// unknownFollow stands for how many messages follow where that is not known.
const unknownFollow = -1

// A cursor is where a page of tasks begins: in which of the places of its state, at which position, and how many
// messages followed that when the page before was read.
type cursor struct{ place, position, follow int }

func (c cursor) String() string { return fmt.Sprintf("%d.%d.%d", c.place, c.position, c.follow) }

// parseCursor returns inspect.ErrCursor for what is none; empty is the first page.
func parseCursor(text string) (cursor, error) {
	if text == "" {
		return cursor{follow: unknownFollow}, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return cursor{}, fmt.Errorf("%q: %w", text, inspect.ErrCursor)
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 && (i < 2 || n != unknownFollow) {
			return cursor{}, fmt.Errorf("%q: %w", text, inspect.ErrCursor)
		}
		numbers[i] = int(n)
	}
	return cursor{numbers[0], numbers[1], numbers[2]}, nil
}
