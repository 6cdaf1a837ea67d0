package middleware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// errorKind is the attribute for an error whose text may quote a value: the type of its first cause. The text follows
// where it is known to quote none.
func errorKind(err error) slog.Attr {
	for !quotesNoValue(err) {
		cause := errors.Unwrap(err)
		if cause == nil {
			return slog.String("error", fmt.Sprintf("%T", err))
		}
		err = cause
	}
	return slog.String("error", fmt.Sprintf("%T: %v", err, err))
}

// quotesNoValue reports whether the text of an error is fit for a log: that of a network or a panic, of a state without
// a result, and of those together.
func quotesNoValue(err error) bool {
	switch err := err.(type) {
	case *panicError, *net.OpError, *net.DNSError, *os.SyscallError, syscall.Errno:
		return true
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(err.Unwrap(), func(part error) bool { return !quotesNoValue(part) })
	}
	switch err {
	case ErrPutBack, ErrNotRecorded, ErrStopped, context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF,
		net.ErrClosed:
		return true
	}
	return isAboutAState(err.Error())
}

// isAboutAState reports whether a text is that of Machinery's worker about a step that writes no argument and no
// result.
func isAboutAState(text string) bool {
	for _, beginning := range []string{
		"Set state to 'received' for task ", "Set state to 'started' for task ", "Set state to 'retry' for task ",
		"Set state pending error: ", completedCheckPrefix, "Triggering chord for group ",
	} {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}

// stackOf returns the attribute for the stack of a panic, or none.
func stackOf(err error) slog.Attr {
	var panicked *panicError
	if !errors.As(err, &panicked) {
		return slog.Attr{}
	}
	return slog.String("stack", panicked.stack)
}
