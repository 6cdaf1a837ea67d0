package middleware

import (
	"errors"
	"fmt"
	"reflect"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Machinery keeps in unexported fields what Await needs of its results. This file is all that reads them, by
// reflection. Install fails with a Machinery whose fields are others, so that nothing is taken for absent that is only
// elsewhere.

// ErrMachinery is returned by Install where Machinery's results are not made as those of the version that this module
// requires: what Await has to verify could not be found.
var ErrMachinery = errors.New("this version of machinery is not supported")

// errUnverified is returned for a result that would be read without verifying it.
var errUnverified = errors.New("the result is not of the server's backend, which verifies it: make it with server.GetBackend()")

// The fields that are read.
const (
	backendField   = "backend"
	signatureField = "Signature"
	stateField     = "taskState"
	stepsField     = "asyncResults"
	membersField   = "groupAsyncResults"
	callbackField  = "chordAsyncResult"
)

// resultTypes are Machinery's types of results.
type resultTypes struct{ task, chain, chord reflect.Type }

// machineryFields is why those of the Machinery that is linked in cannot be read, or nil.
var machineryFields = checkFields(resultTypes{
	reflect.TypeFor[result.AsyncResult](), reflect.TypeFor[result.ChainAsyncResult](), reflect.TypeFor[result.ChordAsyncResult](),
})

// checkFields returns ErrMachinery, naming the field, unless results have the fields that are read.
func checkFields(t resultTypes) error {
	backend, one := reflect.TypeFor[backendsiface.Backend](), reflect.PointerTo(t.task)
	for _, want := range []struct {
		owner reflect.Type
		name  string
		field reflect.Type
	}{
		{t.task, backendField, backend}, {t.chain, backendField, backend}, {t.chord, backendField, backend},
		{t.task, signatureField, reflect.TypeFor[*tasks.Signature]()},
		{t.task, stateField, reflect.TypeFor[*tasks.TaskState]()},
		{t.chain, stepsField, reflect.SliceOf(one)},
		{t.chord, membersField, reflect.SliceOf(one)},
		{t.chord, callbackField, one},
	} {
		field, found := want.owner.FieldByName(want.name)
		if !found || field.Type != want.field {
			return fmt.Errorf("%w: %s has no field %s of type %s", ErrMachinery, want.owner, want.name, want.field)
		}
	}
	return nil
}

// machineryResult returns Machinery's own result where res is a struct, or a pointer to one, that embeds it, as a
// TaskResult does; else res.
func machineryResult(res Result) Result {
	value := reflect.Indirect(reflect.ValueOf(res))
	if value.Kind() != reflect.Struct {
		return res
	}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if !field.Anonymous || !field.IsExported() || value.Field(i).Kind() != reflect.Pointer || value.Field(i).IsNil() {
			continue
		}
		switch inner := value.Field(i).Interface().(type) {
		case *result.AsyncResult:
			return inner
		case *result.ChainAsyncResult:
			return inner
		case *result.ChordAsyncResult:
			return inner
		}
	}
	return res
}

// checkResult returns an error if the signature of a result, with SignTasks, would not be looked at: unless it is made
// up of Machinery's results, each with a backend that verifies.
func checkResult(res Result) error {
	owners := resultsIn(res)
	switch res.(type) {
	case *result.AsyncResult, *result.ChainAsyncResult, *result.ChordAsyncResult:
		owners = append(owners, reflect.ValueOf(res))
	default:
		return errUnverified
	}
	for _, owner := range owners {
		if owner.IsNil() {
			continue
		}
		backend := owner.Elem().FieldByName(backendField)
		if backend.IsNil() {
			continue // then Machinery returns ErrBackendNotConfigured
		}
		if !backend.Elem().Type().Implements(reflect.TypeFor[signedBackend]()) {
			return errUnverified
		}
	}
	return nil
}

// uuidsOf returns the UUIDs of the tasks whose end may be that of a result.
func uuidsOf(res Result) []string {
	var uuids []string
	for _, member := range resultsIn(res) {
		if s, ok := follow(member, signatureField); ok {
			uuids = append(uuids, s.FieldByName("UUID").String())
		}
	}
	return uuids
}

// A failed task is one that a result, the members of a chord first, has seen to be in FAILURE.
type failedTask struct{ name, uuid, text string }

func failedIn(res Result) (failedTask, bool) {
	for _, member := range resultsIn(res) {
		state, ok := follow(member, stateField)
		if !ok || state.FieldByName("State").String() != tasks.StateFailure {
			continue
		}
		failed := failedTask{text: state.FieldByName("Error").String()}
		if s, ok := follow(member, signatureField); ok {
			failed.name, failed.uuid = s.FieldByName("Name").String(), s.FieldByName("UUID").String()
		}
		return failed, true
	}
	return failedTask{}, false
}

// unendedMembers returns the UUIDs of the members of a chord, or another group, whose states a result has seen, but not
// their ends.
func unendedMembers(res Result) []string {
	var uuids []string
	for _, member := range membersIn(res) {
		state, hasState := follow(member, stateField)
		s, hasSignature := follow(member, signatureField)
		if !hasState || !hasSignature {
			continue
		}
		switch state.FieldByName("State").String() {
		case "", tasks.StateSuccess, tasks.StateFailure:
		default:
			uuids = append(uuids, s.FieldByName("UUID").String())
		}
	}
	return uuids
}

// membersIn returns the *result.AsyncResult of members of groups of which a result is made up.
func membersIn(res Result) []reflect.Value {
	switch res := res.(type) {
	case *result.AsyncResult:
		if res.Signature != nil && res.Signature.GroupUUID != "" {
			return []reflect.Value{reflect.ValueOf(res)}
		}
	case *result.ChordAsyncResult:
		return elements(nil, reflect.ValueOf(res).Elem().FieldByName(membersField))
	}
	return nil
}

// resultsIn returns the *result.AsyncResult of which a result is made up, those of a chord's members before that of its
// callback.
func resultsIn(res Result) []reflect.Value {
	switch res := res.(type) {
	case *result.AsyncResult:
		return []reflect.Value{reflect.ValueOf(res)}
	case *result.ChainAsyncResult:
		return elements(nil, reflect.ValueOf(res).Elem().FieldByName(stepsField))
	case *result.ChordAsyncResult:
		fields := reflect.ValueOf(res).Elem()
		members := elements(nil, fields.FieldByName(membersField))
		return append(members, fields.FieldByName(callbackField))
	}
	return nil
}

func elements(found []reflect.Value, slice reflect.Value) []reflect.Value {
	for i := range slice.Len() {
		found = append(found, slice.Index(i))
	}
	return found
}

// follow returns what a field of the struct that v points to points to, if that is something.
func follow(v reflect.Value, field string) (reflect.Value, bool) {
	if v.IsNil() {
		return reflect.Value{}, false
	}
	pointer := v.Elem().FieldByName(field)
	if pointer.IsNil() {
		return reflect.Value{}, false
	}
	return pointer.Elem(), true
}
