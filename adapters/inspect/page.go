package inspect

import (
	"fmt"
	"strconv"
)

// Offset returns where the page begins, of a list whose cursors are the number of entries before; or ErrCursor.
func (p Page) Offset() (int, error) {
	if p.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(p.Cursor)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %.40q", ErrCursor, p.Cursor)
	}
	return n, nil
}
