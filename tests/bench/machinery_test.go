package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// An argument is on its way from a message to a task.
type argument struct {
	text     []byte // in the message
	received any    // in the decoded signature
	restore  func(received any) (reflect.Value, error)
}

// argumentOf sends v on its way.
func argumentOf(b testing.TB, v any, restore func(any) (reflect.Value, error)) argument {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	received, err := receive(text)
	if err != nil {
		b.Fatal(err)
	}
	return argument{text, received, restore}
}

// receive decodes JSON the way Machinery decodes signatures.
func receive(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var received any
	err := decoder.Decode(&received)
	return received, err
}

func nativeArgument(b testing.TB, v any) argument {
	// reflect says []uint8 for what Machinery's documentation calls []byte: it knows both.
	machineryType := reflect.TypeOf(v).String()
	return argumentOf(b, v, func(received any) (reflect.Value, error) {
		return tasks.ReflectValue(machineryType, received)
	})
}

func envelopeArgument(b testing.TB, v any) argument {
	text, err := encodeEnvelope(v)
	if err != nil {
		b.Fatal(err)
	}
	return argumentOf(b, text, func(received any) (reflect.Value, error) {
		target := reflect.New(reflect.TypeOf(v))
		err := decodeEnvelope(received.(string), target.Interface())
		return target.Elem(), err
	})
}

var ways = []struct {
	name     string
	argument func(b testing.TB, v any) argument
}{
	{"native", nativeArgument},
	{"envelope", envelopeArgument},
}

func TestArgumentsAreRestored(t *testing.T) {
	for _, p := range machineryPayloads {
		for _, way := range ways {
			sent := payloadsByName[p.name].own
			a := way.argument(t, sent)
			restored, err := a.restore(a.received)
			if err != nil {
				t.Errorf("%s, %s: %v", p.name, way.name, err)
			} else if !reflect.DeepEqual(restored.Interface(), sent) {
				t.Errorf("%s, %s: what was restored differs from what was sent", p.name, way.name)
			}
		}
	}
}

func BenchmarkMachinery(b *testing.B) {
	for _, p := range machineryPayloads {
		for _, way := range ways {
			a := way.argument(b, payloadsByName[p.name].own)
			b.Run("payload="+p.name+"/op=restore/way="+way.name, a.benchmarkRestore)
			b.Run("payload="+p.name+"/op=receive/way="+way.name, a.benchmarkReceive)
		}
	}
}

func (a argument) benchmarkRestore(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(a.text)))
	for b.Loop() {
		if _, err := a.restore(a.received); err != nil {
			b.Fatal(err)
		}
	}
}

func (a argument) benchmarkReceive(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(a.text)))
	for b.Loop() {
		received, err := receive(a.text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.restore(received); err != nil {
			b.Fatal(err)
		}
	}
}
