package redisadapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrNoTask is the reason of a dead letter, and the error of replaying it, whose message is no task.
var ErrNoTask = errors.New("message is no task")

// decode keeps numbers as they were written, as Machinery expects: a float64 would round large integers.
func decode[T any](text string) (*T, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	value := new(T)
	if err := decoder.Decode(value); err != nil {
		return nil, err
	}
	return value, nil
}

// decodeTask also refuses JSON that is no task: without a name it would go round the queue for ever. The error wraps
// ErrNoTask, and nothing else: those of encoding/json quote values.
func decodeTask(message string) (*tasks.Signature, error) {
	signature, err := decode[tasks.Signature](message)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not the JSON of one", ErrNoTask)
	}
	if signature.Name == "" {
		return nil, fmt.Errorf("%w: it has no name", ErrNoTask)
	}
	return signature, nil
}
