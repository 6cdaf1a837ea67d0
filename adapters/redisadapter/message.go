package redisadapter

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
)

var errNameless = errors.New("message names no task")

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

// decodeTask also refuses JSON that is no task: without a name it would go round the queue for ever.
func decodeTask(message string) (*tasks.Signature, error) {
	signature, err := decode[tasks.Signature](message)
	if err != nil {
		return nil, err
	}
	if signature.Name == "" {
		return nil, errNameless
	}
	return signature, nil
}
