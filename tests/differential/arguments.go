package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A fate is what becomes of an argument in Machinery alone.
type fate int

const (
	arrives    fate = iota
	misfits         // the worker fails the task
	crashes         // the worker panics, and the process with it
	unsendable      // the sender gets an error
)

// fateOf does what Machinery does with an argument on its way.
func fateOf(arg tasks.Arg) (f fate) {
	defer func() {
		if recover() != nil {
			f = crashes
		}
	}()
	received, err := throughJSON(arg)
	if err != nil {
		return unsendable
	}
	if _, err := tasks.ReflectValue(received.Type, received.Value); err != nil {
		return misfits
	}
	return arrives
}

func throughJSON(arg tasks.Arg) (received tasks.Arg, err error) {
	data, err := json.Marshal(arg)
	if err != nil {
		return received, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return received, decoder.Decode(&received)
}

// The middleware differs on purpose in two points, and in no others.

// isProtected reports whether a text looks like an envelope: it travels in one, so that no task takes it for one, and
// arrives as it is.
func isProtected(arg tasks.Arg) bool {
	received, err := throughJSON(arg)
	text, ok := received.Value.(string)
	return err == nil && ok && arg.Type == "string" && envelope.Is(text)
}

// isRescued reports whether Machinery cannot send an argument that is of the very type it names, because it holds a
// number that is not finite: it travels in an envelope.
func isRescued(arg tasks.Arg) bool {
	if fateOf(arg) != unsendable {
		return false
	}
	switch arg.Value.(type) {
	case float32, float64, []float32, []float64:
		return reflect.TypeOf(arg.Value).String() == arg.Type
	default:
		return false
	}
}

// describe says what a task got, with its type.
func describe(v any) string { return fmt.Sprintf("%T %#v", v, v) }
