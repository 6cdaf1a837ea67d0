package middleware

import (
	"reflect"
	"slices"
	"strings"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Two of Machinery's result backends do not return each of Machinery's own values as it was given. They are told by
// name: importing their packages would bring these, and what they need, into every application.
const (
	mongoBackend    = "github.com/RichardKnop/machinery/v2/backends/mongo.Backend"
	dynamoDBBackend = "github.com/RichardKnop/machinery/v2/backends/dynamodb.Backend"
)

// typeOfBackend names the type of a backend, or of the one that it decorates.
func typeOfBackend(b backendsiface.Backend) string {
	for b != nil {
		outer, decorates := b.(interface{ Unwrap() backendsiface.Backend })
		if !decorates {
			break
		}
		b = outer.Unwrap()
	}
	if b == nil {
		return ""
	}
	t := reflect.Indirect(reflect.ValueOf(b)).Type()
	return t.PkgPath() + "." + t.Name()
}

// keptBy returns what tells which of Machinery's own values a backend returns as they were given, or nil where it does
// so with all.
func keptBy(b backendsiface.Backend) func(value any) bool {
	switch typeOfBackend(b) {
	case mongoBackend:
		return keptByMongo
	case dynamoDBBackend:
		return isText
	default:
		return nil
	}
}

// isText reports whether DynamoDB keeps a value: results are kept there as they are printed, and come back as texts.
func isText(value any) bool {
	_, ok := value.(string)
	return ok
}

// keptByMongo reports whether a value passes through BSON, and through Machinery's reading of it, unaltered. A text that
// begins with a JSON object or null would be kept as a document.
func keptByMongo(value any) bool {
	switch value := value.(type) {
	case string:
		text := strings.TrimLeft(value, " \t\r\n")
		return !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "null")
	case bool, int64, float64, []bool, []int64, []float64, []string:
		return true
	default:
		return false
	}
}

// decorateResults returns a backend that keeps envelopes.
func decorateResults(inner backendsiface.Backend) backendsiface.Backend {
	if typeOfBackend(inner) == mongoBackend {
		return &arrayBackend{inner}
	}
	return inner
}

// An arrayBackend keeps each envelope in a JSON array of one, the second form of a result: Machinery's Mongo backend
// would make a document of it, and fail, since no name in one begins with a dollar sign. A text that already has the
// second form is put in one more array, so that each comes back as it was.
type arrayBackend struct{ backendsiface.Backend }

// SetStateSuccess keeps the results of a task.
func (b *arrayBackend) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	kept := slices.Clone(results) // the worker passes the results on to callbacks
	for i, result := range kept {
		if text, ok := textOf(result); ok && isEnclosable(text) {
			kept[i] = &tasks.TaskResult{Type: result.Type, Value: "[" + text + "]"}
		}
	}
	return b.Backend.SetStateSuccess(s, kept)
}

// GetState returns the state of a task.
func (b *arrayBackend) GetState(taskUUID string) (*tasks.TaskState, error) {
	state, err := b.Backend.GetState(taskUUID)
	if err == nil {
		openArrays(state)
	}
	return state, err
}

// GroupTaskStates returns the states of the tasks of a group.
func (b *arrayBackend) GroupTaskStates(groupUUID string, taskCount int) ([]*tasks.TaskState, error) {
	states, err := b.Backend.GroupTaskStates(groupUUID, taskCount)
	for _, state := range states {
		openArrays(state)
	}
	return states, err
}

func openArrays(state *tasks.TaskState) {
	for _, result := range state.Results {
		text, ok := textOf(result)
		if ok && strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") && isEnclosable(text) {
			result.Value = text[1 : len(text)-1]
		}
	}
}

// isEnclosable reports whether a text looks like an envelope, or like one in arrays.
func isEnclosable(text string) bool { return envelope.Is(strings.TrimLeft(text, "[")) }

func textOf(result *tasks.TaskResult) (string, bool) {
	if result == nil || result.Type != "string" {
		return "", false
	}
	text, ok := result.Value.(string)
	return text, ok
}
