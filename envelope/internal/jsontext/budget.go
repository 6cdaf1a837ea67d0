package jsontext

import (
	"math"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A Budget is how much memory may be allocated for what is read. Sizes are in bytes, and of 64 bits on every platform.
type Budget struct{ left, all int64 }

// NewBudget returns a Budget of so many bytes.
func NewBudget(bytes int64) Budget { return Budget{left: bytes, all: bytes} }

// Unbounded returns a Budget that nothing exceeds.
func Unbounded() Budget { return NewBudget(math.MaxInt64) }

// Charge takes from the budget what is about to be allocated. It returns ErrLimit if that much is not left.
func (b *Budget) Charge(bytes int64) error {
	b.left -= bytes
	if b.left < 0 {
		return b.Exceeded()
	}
	return nil
}

// Left returns how many bytes may still be allocated.
func (b *Budget) Left() int64 { return max(b.left, 0) }

// Resize makes it a budget of so many bytes in all, what was charged included.
func (b *Budget) Resize(bytes int64) {
	b.left += bytes - b.all
	b.all = bytes
}

// Exceeded returns the error for what does not fit the budget.
func (b *Budget) Exceeded() error { return faults.Limited("MaxMemory", b.all) }

// ChargeGrowth charges for a slice that is about to grow by one element of the given size, if its memory does not hold
// one more.
func (b *Budget) ChargeGrowth(length, capacity int, size int64) error {
	if length < capacity {
		return nil
	}
	return b.Charge(grownCapacity(capacity) * size)
}

// ChargeFirst charges for the first elements of a slice, of the given size, and returns how many to make room for: as
// most slices have several, the first allocation is for four, unless that takes more than 256 bytes.
func (b *Budget) ChargeFirst(size int64) (capacity int, err error) {
	const most, memory = 4, 256
	count := int64(most)
	if size*most > memory {
		count = max(memory/size, 1)
	}
	return int(count), b.Charge(count * size)
}

// grownCapacity returns about the capacity that append gives a full slice.
func grownCapacity(capacity int) int64 {
	const doubled = 256
	if capacity < doubled {
		return int64(max(2*capacity, 1))
	}
	return int64(capacity) + (int64(capacity)+3*doubled)/4
}
