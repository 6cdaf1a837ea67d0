package envelope_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// What one side may write the other, with the same limits, may read.
func TestLimitsLetInWhatTheyLetOut(t *testing.T) {
	limits := map[string]func(int) envelope.Option{
		"MaxDepth": envelope.MaxDepth, "MaxElements": envelope.MaxElements, "MaxBytes": envelope.MaxBytes,
		"MaxDigits": envelope.MaxDigits,
	}
	for name, limit := range limits {
		written := 0
		for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 40, 80, 160} {
			r := vectorRegistry(t, limit(n))
			for expression, value := range vectorValues {
				text, err := r.Marshal(context.Background(), value)
				if err != nil {
					require.ErrorIs(t, err, envelope.ErrLimit)
					continue
				}
				written++
				target := reflect.New(dynamicType(value))
				err = r.Unmarshal(context.Background(), text, target.Interface())
				require.NoError(t, err, "%s(%d): %s", name, n, expression)
			}
		}
		require.Greater(t, written, len(vectorValues), name)
	}
}

func TestLongestTypeExpressionThatIsWrittenIsRead(t *testing.T) {
	value := map[string]map[string][]map[string][]*any{}
	for n := range 60 {
		r := envelope.NewRegistry(envelope.MaxTypeLength(n))
		text, err := r.Marshal(context.Background(), []any{value})
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrLimit)
			continue
		}
		_, err = envelope.NewRegistry(envelope.MaxTypeLength(n)).UnmarshalAny(context.Background(), text)
		require.NoError(t, err, fmt.Sprint(n))
	}
}
