package differential

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// longest bounds every wait. It is far longer than anything takes.
const longest = 30 * time.Second

// A side is a server with its tasks and its worker: Machinery alone, or with the middleware.
type side struct {
	server *machinery.Server
	// id is in the name of the queue and in every UUID, and is left out when sides are compared.
	id       string
	messages func() []string // those in the queue; nil where nobody can look into it

	mu   sync.Mutex
	runs map[string][]string // UUID → what each run of the task got

	ended map[string]*tasks.TaskState // by UUID; RabbitMQ tells each state once only
}

// newSides opens a transport twice.
func newSides(t *testing.T, tr Transport) (bare, installed *side) {
	bare, installed = newSide(t, tr.Bare), newSide(t, tr.Installed)
	_, err := middleware.Install(installed.server, envelope.NewRegistry())
	require.NoError(t, err)
	for _, s := range []*side{bare, installed} {
		require.NoError(t, s.server.RegisterTasks(s.functions()))
	}
	return bare, installed
}

func newSide(t *testing.T, open Opener) *side {
	id := "differential-" + uuid.NewString()
	cnf := &config.Config{DefaultQueue: id, ResultsExpireIn: 600, NoUnixSignals: true}
	cnf.Redis = &config.RedisConfig{DelayedTasksKey: id + "-delayed", DelayedTasksPollPeriod: 20}
	server, messages := open(t, cnf)
	return &side{server: server, id: id, messages: messages, runs: make(map[string][]string), ended: make(map[string]*tasks.TaskState)}
}

// work has the tasks that were sent processed, until the test has ended.
func (s *side) work(t *testing.T, p brokersiface.TaskProcessor) {
	broker := s.server.GetBroker()
	if mode, ok := broker.(eager.Mode); ok {
		mode.AssignWorker(p)
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for again := true; again; {
			again, _ = broker.StartConsuming("differential", 1, p)
		}
	}()
	t.Cleanup(func() {
		broker.StopConsuming()
		select {
		case <-ended:
		case <-time.After(longest):
			t.Error("the worker did not stop")
		}
	})
}

func (s *side) worker() *machinery.Worker { return s.server.NewWorker("differential", 1) }

// A guard hides errors of a worker from Machinery's own brokers, which stop consuming, or do so twice, after one.
type guard struct{ *machinery.Worker }

func (g guard) Process(signature *tasks.Signature) error {
	_ = g.Worker.Process(signature)
	return nil
}

// guarded returns the worker as it is where the sender is to have its errors.
func (s *side) guarded() brokersiface.TaskProcessor {
	if _, ok := s.server.GetBroker().(eager.Mode); ok {
		return s.worker()
	}
	return guard{s.worker()}
}

func (s *side) uuid(name string) string { return s.id + "/" + name }

// neutral leaves out what tells the sides apart.
func (s *side) neutral(text string) string { return strings.ReplaceAll(text, s.id, "…") }

// send returns the error of the sender as a text, panics of an eager worker included.
func (s *side) send(publish func(*machinery.Server) error) (problem string) {
	defer func() {
		if recover() != nil {
			problem = panicked
		}
	}()
	if err := publish(s.server); err != nil {
		return s.neutral(err.Error())
	}
	return ""
}

const panicked = "panicked"

// An outcome is all that can be told of a task.
type outcome struct {
	Ran     []string
	State   string
	Error   string
	Results string
}

func (s *side) outcome(name string) outcome {
	uuid := s.uuid(name)
	s.mu.Lock()
	ran := append([]string(nil), s.runs[uuid]...)
	s.mu.Unlock()
	state, err := s.state(uuid)
	if err != nil {
		return outcome{Ran: ran, State: "none"}
	}
	results, err := json.Marshal(state.Results)
	return outcome{ran, state.State, s.neutral(state.Error), fmt.Sprint(string(results), err)}
}

// state returns the state of a task, and again the one that it has ended in.
func (s *side) state(uuid string) (*tasks.TaskState, error) {
	if state := s.ended[uuid]; state != nil {
		return state, nil
	}
	state, err := s.server.GetBackend().GetState(uuid)
	if err == nil && state.IsCompleted() {
		s.ended[uuid] = state
	}
	return state, err
}

// awaits waits until a task has come to its end.
func (s *side) awaits(t *testing.T, name string) {
	deadline := time.Now().Add(longest)
	for {
		state, err := s.state(s.uuid(name))
		if err == nil && state.IsCompleted() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not end: %+v, %v", name, state, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// bodies are the messages in the queue, by UUID.
func (s *side) bodies(t *testing.T) map[string]string {
	found := make(map[string]string)
	for _, message := range s.messages() {
		var signature struct{ UUID string }
		require.NoError(t, json.Unmarshal([]byte(message), &signature))
		found[s.neutral(signature.UUID)] = s.neutral(message)
	}
	return found
}

func (s *side) note(ctx context.Context, got ...any) {
	uuid := tasks.SignatureFromContext(ctx).UUID
	described := make([]string, len(got))
	for i, v := range got {
		described[i] = describe(v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[uuid] = append(s.runs[uuid], strings.Join(described, ", "))
}

// functions are the tasks: for each type one that returns what it gets, and those of the workflows.
func (s *side) functions() map[string]any {
	functions := make(map[string]any)
	for _, name := range types {
		zero, err := tasks.ReflectValue(name, zeroOf(name))
		if err != nil {
			panic(err)
		}
		functions["echo "+name] = s.echo(zero.Type())
		functions["list "+name] = s.list(zero.Type())
	}
	maps.Copy(functions, s.workflowFunctions())
	return functions
}

func zeroOf(name string) any {
	switch {
	case strings.HasPrefix(name, "[]"):
		return nil
	case name == "bool":
		return false
	case name == "string":
		return ""
	default:
		return json.Number("0")
	}
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// echo is func(context.Context, T) (T, error).
func (s *side) echo(t reflect.Type) any {
	fn := reflect.FuncOf([]reflect.Type{contextType, t}, []reflect.Type{t, errorType}, false)
	return reflect.MakeFunc(fn, func(in []reflect.Value) []reflect.Value {
		s.note(in[0].Interface().(context.Context), in[1].Interface())
		return []reflect.Value{in[1], reflect.Zero(errorType)}
	}).Interface()
}

// list is func(context.Context, ...T) error.
func (s *side) list(t reflect.Type) any {
	fn := reflect.FuncOf([]reflect.Type{contextType, reflect.SliceOf(t)}, []reflect.Type{errorType}, true)
	return reflect.MakeFunc(fn, func(in []reflect.Value) []reflect.Value {
		s.note(in[0].Interface().(context.Context), in[1].Interface())
		return []reflect.Value{reflect.Zero(errorType)}
	}).Interface()
}
