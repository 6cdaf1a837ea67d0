package delivery_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want delivery.Outcome
	}{
		{nil, delivery.Processed},
		{errors.New("backend down"), delivery.Unfinished},
		{middleware.ErrPanicked, delivery.Unfinished},
		{errs.ErrStopTaskDeletion, delivery.Rejected},
		{fmt.Errorf("%w: no such type", middleware.ErrUnreadable), delivery.Rejected},
		{&middleware.DeadLetterError{Reason: middleware.ErrForged}, delivery.Refused},
		{&middleware.DeadLetterError{Reason: middleware.ErrUnreadable}, delivery.Refused},
	} {
		require.Equal(t, c.want, delivery.Classify(c.err), "%v", c.err)
	}
}
