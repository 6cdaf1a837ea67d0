package amqpadapter

import "context"

// A mutex is held by one goroutine at a time. Waiting for it ends with a context.
type mutex chan struct{}

func newMutex() mutex { return make(mutex, 1) }

func (m mutex) lock(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case m <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryLock reports whether nobody has held it, and holds it then.
func (m mutex) tryLock() bool {
	select {
	case m <- struct{}{}:
		return true
	default:
		return false
	}
}

func (m mutex) unlock() { <-m }

// waitFor calls do, which knows no context, and stops waiting for it when ctx ends. do ends by itself at the latest
// when its connection does.
func waitFor(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// obtain calls get, which knows no context, and stops waiting for what it returns when ctx ends. What comes after that
// is given back. get ends by itself at the latest when its connection does.
func obtain[T any](ctx context.Context, get func() (T, error), giveBack func(T)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer)
	go func() {
		value, err := get()
		select {
		case answers <- answer{value, err}:
		case <-ctx.Done():
			if err == nil {
				giveBack(value)
			}
		}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
