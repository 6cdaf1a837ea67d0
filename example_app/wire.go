package main

import (
	"fmt"
	"io"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// wire shows what the tasks of a workflow carry, as it stands in messages and results.
type wire struct {
	out     io.Writer
	backend backendsiface.Backend
}

// showArguments shows what has been put in the first signature of the group.
func (w wire) showArguments(flow workflow) {
	for i, argument := range flow.group()[0].Args {
		w.show(fmt.Sprintf("%s, argument %d", improveTask, i+1), argument.Value)
	}
}

// showResults shows what the backend keeps of the tasks that have ended.
func (w wire) showResults(flow workflow) {
	for _, signature := range append([]*tasks.Signature{flow.group()[0]}, flow.chain.Tasks...) {
		state, err := w.backend.GetState(signature.UUID)
		if err != nil {
			continue // it has expired
		}
		for _, result := range state.Results {
			w.show(signature.Name+", result", result.Value)
		}
	}
}

func (w wire) show(step string, value any) {
	fmt.Fprintf(w.out, "\n%s\n  %s\n", step, layOut(fmt.Sprint(value), "  "))
}
