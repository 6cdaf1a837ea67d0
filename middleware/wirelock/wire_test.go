package wirelock_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	stdlog "log"
	"os"
	"reflect"
	"strconv"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

// takeTask is the one task of the programs in the catalogue.
const takeTask = "orders.take"

// A generation is a program at one time: what it registers, what it sends, and what its task returns.
type generation struct {
	registry []envelope.Option
	install  []middleware.Option
	types    func(*envelope.Registry)
	// task is the type of the task's function, nil if the program has none. names are those of its parameters.
	task  reflect.Type
	names []string
	// takesNothing lets the task leave out whatever comes.
	takesNothing bool
	calls        [][]any
	results      [][]any
	// upgraded is what the program makes of a value of an older version; nil if it has no upgrades.
	upgraded func(any) any
}

// params are the types of the task's parameters, without the context.
func (g generation) params() []reflect.Type {
	var params []reflect.Type
	for i := range g.task.NumIn() {
		if in := g.task.In(i); in != reflect.TypeFor[context.Context]() {
			params = append(params, in)
		}
	}
	return params
}

// A wire carries text from the server of one program to that of another.
type wire struct {
	brokersiface.Broker // not called
	sent                []byte
	arrives             []byte
}

func (w *wire) Publish(_ context.Context, s *tasks.Signature) (err error) {
	w.sent, err = json.Marshal(s)
	return err
}

func (w *wire) StartConsuming(_ string, _ int, p brokersiface.TaskProcessor) (bool, error) {
	var s tasks.Signature
	decoder := json.NewDecoder(bytes.NewReader(w.arrives))
	decoder.UseNumber()
	if err := decoder.Decode(&s); err != nil {
		return false, err
	}
	return false, p.Process(&s)
}

func (w *wire) AdjustRoutingKey(*tasks.Signature) {}
func (w *wire) GetConfig() *config.Config         { return &config.Config{} }
func (w *wire) SetRegisteredTaskNames([]string)   {}
func (w *wire) IsTaskRegistered(string) bool      { return true }
func (w *wire) StopConsuming()                    {}

// A program is a generation that runs.
type program struct {
	generation
	wire    *wire
	server  *machinery.Server
	m       *middleware.Middleware
	took    []any // by the task, nil if it did not run
	returns []any
}

func start(t *testing.T, g generation, backend backendsiface.Backend) *program {
	t.Helper()
	p := &program{generation: g, wire: &wire{}}
	p.server = machinery.NewServer(&config.Config{DefaultQueue: "q", NoUnixSignals: true}, p.wire, backend, eagerlock.New())
	registry := envelope.NewRegistry(g.registry...)
	if g.types != nil {
		g.types(registry)
	}
	m, err := middleware.Install(p.server, registry, g.install...)
	require.NoError(t, err)
	p.m = m
	p.register(t)
	return p
}

func (p *program) register(t *testing.T) {
	t.Helper()
	if p.takesNothing {
		nothing := middleware.NewTask[struct{}, struct{}](takeTask)
		require.NoError(t, nothing.Register(p.m, func(context.Context, struct{}) (struct{}, error) {
			p.took = []any{}
			return struct{}{}, nil
		}))
		return
	}
	if p.task == nil {
		return
	}
	var opts []middleware.TaskOption
	if p.names != nil {
		opts = append(opts, middleware.Params(p.names...))
	}
	require.NoError(t, p.m.RegisterTask(takeTask, reflect.MakeFunc(p.task, p.take).Interface(), opts...))
}

// take is the task: it notes what it gets.
func (p *program) take(in []reflect.Value) []reflect.Value {
	p.took = []any{}
	in = in[len(in)-len(p.params()):]
	for i, arg := range in {
		if i < len(in)-1 || !p.task.IsVariadic() {
			p.took = append(p.took, arg.Interface())
			continue
		}
		for j := range arg.Len() {
			p.took = append(p.took, arg.Index(j).Interface())
		}
	}
	out := make([]reflect.Value, p.task.NumOut())
	for i := range out {
		out[i] = reflect.New(p.task.Out(i)).Elem()
		if i < len(p.returns) && p.returns[i] != nil {
			out[i].Set(reflect.ValueOf(p.returns[i]))
		}
	}
	return out
}

// send returns a message with the arguments, and its signature.
func (p *program) send(t *testing.T, args []any) (*tasks.Signature, []byte) {
	t.Helper()
	s, err := p.m.Signature(t.Context(), takeTask, args...)
	require.NoError(t, err)
	_, err = p.server.SendTask(s)
	require.NoError(t, err)
	return s, p.wire.sent
}

// run gives a message to a worker of the program, and returns what its task took, or false if it did not run.
func (p *program) run(t *testing.T, message []byte) ([]any, bool) {
	t.Helper()
	p.took, p.wire.arrives = nil, message
	require.NoError(t, p.server.NewWorker("worker", 1).Launch())
	return p.took, p.took != nil
}

// await returns the results of a signature that was run, or false where they cannot be read.
func (p *program) await(t *testing.T, s *tasks.Signature) ([]any, bool) {
	t.Helper()
	targets := make([]any, p.task.NumOut()-1)
	for i := range targets {
		targets[i] = reflect.New(p.task.Out(i)).Interface()
	}
	if err := middleware.Scan(t.Context(), p.m, result.NewAsyncResult(s, p.server.GetBackend()), targets...); err != nil {
		return nil, false
	}
	for i, target := range targets {
		targets[i] = reflect.ValueOf(target).Elem().Interface()
	}
	return targets, true
}

func schemaOf(t *testing.T, g generation) *wireschema.Schema {
	t.Helper()
	return start(t, g, eagerbackend.New()).m.Schema()
}

// documents are JSON of values, by the names of the parameters that they are for, or by their positions.
func documents(t *testing.T, names []string, values []any) map[string]any {
	t.Helper()
	found := map[string]any{}
	for i, v := range values {
		name := strconv.Itoa(i + 1)
		if i < len(names) {
			name = names[i]
		}
		text, err := json.Marshal(v)
		require.NoError(t, err)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var document any
		require.NoError(t, decoder.Decode(&document))
		found[name] = document
	}
	return found
}
