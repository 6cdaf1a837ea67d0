package main

import (
	"context"
	"slices"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// retryCount is how often a task of the group may fail before all is lost.
const retryCount = 3

// workflow is all that is sent: a group of tasks that find a tour each, a chord whose callback sums up what they have
// found, and a chain from there to the report.
type workflow struct {
	chord *tasks.Chord
	chain *tasks.Chain
}

func newWorkflow(ctx context.Context, m *middleware.Middleware, problem tsp.Problem, strategies []tsp.Strategy) (workflow, error) {
	improvements := make([]*tasks.Signature, len(strategies))
	for i, strategy := range strategies {
		improvement, err := m.Signature(ctx, improveTask, problem, strategy)
		if err != nil {
			return workflow{}, err
		}
		improvement.RetryCount = retryCount
		improvements[i] = improvement
	}
	summarize, err := m.Signature(ctx, summarizeTask)
	if err != nil {
		return workflow{}, err
	}
	report, err := m.Signature(ctx, reportTask, problem)
	if err != nil {
		return workflow{}, err
	}

	chain, err := tasks.NewChain(summarize, report)
	if err != nil {
		return workflow{}, err
	}
	group, err := tasks.NewGroup(improvements...)
	if err != nil {
		return workflow{}, err
	}
	chord, err := tasks.NewChord(group, summarize)
	return workflow{chord: chord, chain: chain}, err
}

// group is the signatures that are sent first.
func (w workflow) group() []*tasks.Signature { return w.chord.Group.Tasks }

// send publishes the group; the rest follows from it.
func (w workflow) send(ctx context.Context, m *middleware.Middleware) (*result.ChordAsyncResult, error) {
	// One at a time, because the tasks share a channel to RabbitMQ and with it the order of its confirmations.
	return m.SendChord(ctx, w.chord, 1)
}

// report is the result of the last task.
func (w workflow) report(backend backendsiface.Backend) *result.AsyncResult {
	return result.NewAsyncResult(w.chain.Tasks[len(w.chain.Tasks)-1], backend)
}

// purge removes the states of all tasks. What cannot be removed expires.
func (w workflow) purge(backend backendsiface.Backend) {
	for _, signature := range slices.Concat(w.group(), w.chain.Tasks) {
		_ = backend.PurgeState(signature.UUID)
	}
	_ = backend.PurgeGroupMeta(w.chord.Group.GroupUUID)
}
