package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// mostStarts is how many tours the group finds at most.
const mostStarts = 64

// workflow is all that is sent: a group of tasks that find a tour each, a chord whose callback keeps the shortest of
// them, and a chain from there to the report.
type workflow struct {
	chord *tasks.Chord
	chain *tasks.Chain
}

func newWorkflow(ctx context.Context, m *middleware.Middleware, problem Problem) (workflow, error) {
	var improvements []*tasks.Signature
	for _, strategy := range newStrategies(len(problem.Cities)) {
		improvement, err := m.Signature(ctx, improveTask, problem, strategy)
		if err != nil {
			return workflow{}, err
		}
		improvements = append(improvements, improvement)
	}
	shortest, err := m.Signature(ctx, shortestTask)
	if err != nil {
		return workflow{}, err
	}
	report, err := m.Signature(ctx, reportTask, problem)
	if err != nil {
		return workflow{}, err
	}

	chain, err := tasks.NewChain(shortest, report)
	if err != nil {
		return workflow{}, err
	}
	group, err := tasks.NewGroup(improvements...)
	if err != nil {
		return workflow{}, err
	}
	chord, err := tasks.NewChord(group, shortest)
	return workflow{chord: chord, chain: chain}, err
}

// newStrategies makes one strategy for each task of the group, with the starts spread over the cities.
func newStrategies(cities int) []Strategy {
	strategies := make([]Strategy, min(cities, mostStarts))
	for i := range strategies {
		strategies[i] = newStrategy(i * cities / len(strategies))
	}
	return strategies
}

func newStrategy(start int) Strategy {
	return OrOpt{From: TwoOpt{From: NearestNeighbour{Start: start}}}
}

// starts is the number of tasks in the group.
func (w workflow) starts() int { return len(w.chord.Group.Tasks) }

// example is the arguments of one task, as they travel.
func (w workflow) example() (problem, strategy string) {
	arguments := w.chord.Group.Tasks[0].Args
	return fmt.Sprint(arguments[0].Value), fmt.Sprint(arguments[1].Value)
}

// send publishes the group; the rest follows from it.
func (w workflow) send(ctx context.Context, server *machinery.Server) (*result.ChordAsyncResult, error) {
	// One at a time, because the tasks share a channel to RabbitMQ and with it the order of its confirmations.
	return server.SendChordWithContext(ctx, w.chord, 1)
}

// report is the result of the last task.
func (w workflow) report(backend backendsiface.Backend) *result.AsyncResult {
	return result.NewAsyncResult(w.chain.Tasks[len(w.chain.Tasks)-1], backend)
}

// purge removes the states of all tasks. What cannot be removed expires.
func (w workflow) purge(backend backendsiface.Backend) {
	for _, signature := range slices.Concat(w.chord.Group.Tasks, w.chain.Tasks) {
		_ = backend.PurgeState(signature.UUID)
	}
	_ = backend.PurgeGroupMeta(w.chord.Group.GroupUUID)
}
