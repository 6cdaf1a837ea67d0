package middleware_test

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// noting is a broker that notes which signature its copies were made of.
type noting struct {
	delivering
	original *tasks.Signature
}

func (n *noting) Publish(ctx context.Context, s *tasks.Signature) error {
	n.original = middleware.OriginalSignature(ctx)
	return n.delivering.Publish(ctx, s)
}

func TestBrokerLearnsWhichSignatureItsCopyWasMadeOf(t *testing.T) {
	t.Parallel()
	require.Nil(t, middleware.OriginalSignature(t.Context()))
	broker := &noting{}
	w := newWorkplaceOn(t, &broker.delivering, broker)
	s := signatureOf("t", orderOnWire)
	_, err := w.m.SendTask(t.Context(), s)
	require.NoError(t, err)
	require.Same(t, s, broker.original)
}
