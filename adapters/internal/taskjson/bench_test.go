package taskjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
)

func BenchmarkTask(b *testing.B) {
	s := &tasks.Signature{
		UUID: "task_3f1f4a90-0b1c-4f5e-9d6e-2c8f6f0b7a11", Name: "orders.Create", RoutingKey: "machinery_tasks",
		Args:    []tasks.Arg{{Type: "string", Value: `{"$envelope":1,"data":[` + strings.Repeat(`{"id":"o-1","qty":3},`, 50) + `{}]}`}},
		Headers: tasks.Headers{"envelope-format": "1"},
	}
	text, err := json.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"write/encoding-json": func() error { _, err := json.Marshal(s); return err },
		"write/taskjson":      func() error { _, err := MarshalTask(s); return err },
		"read/encoding-json":  func() error { _, err := decode[tasks.Signature](text); return err },
		"read/taskjson":       func() error { _, err := UnmarshalTask(text); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
