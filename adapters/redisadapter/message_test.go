package redisadapter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorOfAMessageThatIsNoTaskTellsNothingOfIt(t *testing.T) {
	for _, message := range []string{
		`{"Name":"add","ETA":"4111-1111"}`,
		`{"Name":"add","RetryCount":4111.1111}`,
		`{"Name":"add","Priority":41111111}`,
		`4111`,
	} {
		_, err := decodeTask(message)
		require.ErrorIs(t, err, ErrNoTask)
		require.NotContains(t, err.Error(), "4111")
	}
}
