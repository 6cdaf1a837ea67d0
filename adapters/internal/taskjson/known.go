package taskjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// The structs as this package knows them. A Machinery that has other members is left to encoding/json.
type (
	knownArg struct {
		Name  string
		Type  string
		Value any
	}
	knownTask struct {
		UUID                        string
		Name                        string
		RoutingKey                  string
		ETA                         *time.Time
		GroupUUID                   string
		GroupTaskCount              int
		Args                        []tasks.Arg
		Headers                     tasks.Headers
		Priority                    uint8
		Immutable                   bool
		RetryCount                  int
		RetryTimeout                int
		OnSuccess                   []*tasks.Signature
		OnError                     []*tasks.Signature
		ChordCallback               *tasks.Signature
		BrokerMessageGroupId        string
		SQSReceiptHandle            string
		StopTaskDeletionOnError     bool
		IgnoreWhenTaskNotRegistered bool
	}
	knownResult struct {
		Type  string
		Value any
	}
	knownState struct {
		TaskUUID  string
		TaskName  string
		State     string
		Results   []*tasks.TaskResult
		Error     string
		CreatedAt time.Time
		TTL       int64
	}
)

var (
	knowsTasks = isSame[tasks.Signature, knownTask]() && isSame[tasks.Arg, knownArg]() &&
		reflect.TypeFor[tasks.Headers]().ConvertibleTo(reflect.TypeFor[map[string]any]()) && !marshals(reflect.TypeFor[tasks.Headers]())
	knowsStates = isSame[tasks.TaskState, knownState]() && isSame[tasks.TaskResult, knownResult]()
)

// isSame reports whether encoding/json makes the same of two structs: their fields have the same names and types, and
// no tag for it. The methods of T are none that it would call.
func isSame[T, Known any]() bool {
	t, known := reflect.TypeFor[T](), reflect.TypeFor[Known]()
	if t.NumField() != known.NumField() || marshals(t) || marshals(reflect.PointerTo(t)) {
		return false
	}
	for i := range t.NumField() {
		field, want := t.Field(i), known.Field(i)
		if _, tagged := field.Tag.Lookup("json"); tagged || field.Name != want.Name || field.Type != want.Type {
			return false
		}
	}
	return true
}

func marshals(t reflect.Type) bool {
	for _, method := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if t.Implements(method) {
			return true
		}
	}
	return false
}
