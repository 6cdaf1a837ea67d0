package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	machineryamqp "github.com/RichardKnop/machinery/v2/backends/amqp"
	"github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Results tell the states of tasks and groups. Every Source does; see there for the methods.
type Results interface {
	TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error)
	Group(ctx context.Context, uuid string, page Page) (Group, error)
}

// ResultsOf returns what a result backend of Machinery tells. It knows no contexts, and reads a group as a whole: for
// states in Redis, redisadapter.NewSource does better. Machinery's AMQP backend hands each state out once: its states
// are ErrUnsupported.
func ResultsOf(backend backendsiface.Backend) Results {
	if _, once := backend.(*machineryamqp.Backend); once {
		return takenResults{}
	}
	return backendResults{backend}
}

// takenResults are those of a backend from which a state is gone once it was read.
type takenResults struct{}

var errTaken = fmt.Errorf("%w: RabbitMQ hands each state out once, so that looking would take it from who waits for it; "+
	"keep results in Redis to see them", ErrUnsupported)

// TaskState returns ErrUnsupported.
func (takenResults) TaskState(context.Context, string) (*tasks.TaskState, error) {
	return nil, errTaken
}

// Group returns ErrUnsupported.
func (takenResults) Group(context.Context, string, Page) (Group, error) { return Group{}, errTaken }

type backendResults struct{ backend backendsiface.Backend }

// TaskState returns the state of a task, or ErrNotFound.
func (r backendResults) TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	state, err := r.backend.GetState(uuid)
	if isAbsent(err) {
		return nil, fmt.Errorf("state of task %s: %w", uuid, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("state of task %s: %w", uuid, err)
	}
	return state, nil
}

// Group returns a page of the members of a group, or ErrNotFound. Where a member has no state any more, the backends of
// Machinery tell nothing of the others either.
func (r backendResults) Group(ctx context.Context, uuid string, page Page) (Group, error) {
	if err := context.Cause(ctx); err != nil {
		return Group{}, err
	}
	states, err := r.backend.GroupTaskStates(uuid, 0)
	if isAbsent(err) {
		return Group{}, fmt.Errorf("group %s, or one of its members: %w", uuid, ErrNotFound)
	}
	if err != nil {
		return Group{}, fmt.Errorf("group %s: %w", uuid, err)
	}
	return groupOf(uuid, states, page)
}

func groupOf(uuid string, states []*tasks.TaskState, page Page) (Group, error) {
	begin, err := page.Offset()
	if err != nil {
		return Group{}, err
	}
	g := Group{UUID: uuid, Size: len(states), Counted: len(states), States: make(map[string]int)}
	for _, state := range states {
		g.States[state.State]++
	}
	begin = min(begin, len(states))
	end := min(begin+page.Size(), len(states))
	for _, state := range states[begin:end] {
		g.Members = append(g.Members, Member{UUID: state.TaskUUID, State: listedState(state)})
	}
	if end < len(states) {
		g.Next = strconv.Itoa(end)
	}
	return g, nil
}

// listedState is a state in a list, without what is too large for one.
func listedState(state *tasks.TaskState) *tasks.TaskState {
	size := len(state.Error)
	if results, err := json.Marshal(state.Results); err == nil {
		size += len(results)
	}
	if size <= MaxBody {
		return state
	}
	listed := *state
	listed.Results, listed.Error = nil, ""
	return &listed
}

// absences are the texts with which the clients of Machinery's backends say that nothing has a key. There are more
// clients, and versions of them, than this package depends on.
var absences = []string{"redis: nil", "redigo: nil returned", "memcache: cache miss", "mongo: no documents in result"}

func isAbsent(err error) bool {
	if err == nil {
		return false
	}
	if _, ok := errors.AsType[eager.ErrTasknotFound](err); ok {
		return true
	}
	if _, ok := errors.AsType[eager.ErrGroupNotFound](err); ok || slices.Contains(absences, err.Error()) {
		return true
	}
	switch wrapping := err.(type) {
	case interface{ Unwrap() error }:
		return isAbsent(wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapping.Unwrap(), isAbsent)
	default:
		return false
	}
}
