package middleware

import (
	"context"

	"github.com/RichardKnop/machinery/v2/tasks"
)

type originalKey struct{}

// OriginalSignature returns the signature that Publish of a broker was called with while the middleware was installed
// over that broker: the broker itself gets a copy, whose arguments are packed. It is nil for another context. By its
// address a broker recognises a signature that came within a task which it has delivered. It is for those who write
// brokers, and must not be changed.
func OriginalSignature(ctx context.Context) *tasks.Signature {
	s, _ := ctx.Value(originalKey{}).(*tasks.Signature)
	return s
}

func withOriginal(ctx context.Context, s *tasks.Signature) context.Context {
	return context.WithValue(ctx, originalKey{}, s)
}
