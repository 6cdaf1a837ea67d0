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
	limits := map[string]func(int) envelope.Limits{
		"MaxDepth":  func(n int) envelope.Limits { return envelope.Limits{MaxDepth: n} },
		"MaxBytes":  func(n int) envelope.Limits { return envelope.Limits{MaxBytes: n} },
		"MaxDigits": func(n int) envelope.Limits { return envelope.Limits{MaxDigits: n} },
	}
	for name, limit := range limits {
		written := 0
		for _, n := range []int{1, 2, 3, 4, 5, 6, 40, 80, 160} {
			r := vectorRegistry(t, envelope.WithLimits(limit(n)))
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
	for n := 1; n < 60; n++ {
		r := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxTypeLength: n}))
		text, err := r.Marshal(context.Background(), []any{value})
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrLimit)
			continue
		}
		_, err = envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxTypeLength: n})).UnmarshalAny(context.Background(), text)
		require.NoError(t, err, fmt.Sprint(n))
	}
}
