package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// ran is what a run of the command leaves.
type ran struct {
	status         int
	stdout, stderr string
}

// console runs the command on a source in memory.
type console struct {
	*inspecttest.Source
	command inspect.Command
}

func newConsole(t *testing.T) *console {
	t.Helper()
	source, registry := inspecttest.New("memory"), inspecttest.NewRegistry()
	require.NoError(t, inspecttest.Fill(t.Context(), source, registry))
	return &console{source, inspect.Command{Registry: registry, Sources: []inspect.Source{source}}}
}

func (c *console) answer(ctx context.Context, stdin string, arguments ...string) ran {
	var stdout, stderr bytes.Buffer
	command := c.command
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	return ran{command.Run(ctx, arguments), stdout.String(), stderr.String()}
}

func (c *console) run(t *testing.T, arguments ...string) ran {
	t.Helper()
	return c.answer(t.Context(), "", arguments...)
}

// read runs a command with -json.
func (c *console) read(t *testing.T, arguments ...string) (got struct {
	Entries []struct{ UUID, ID, Task, Name string }
	More    bool
	Next    string
	Unread  int
}) {
	t.Helper()
	r := c.run(t, append(arguments, "-json")...)
	require.Equal(t, inspect.StatusOK, r.status, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	return got
}

func TestATableStaysNarrowWhateverNamesSay(t *testing.T) {
	c := newConsole(t)
	name := strings.Repeat("\x1b]0;n\a\u202e", 1<<18)
	for n := range 20 {
		c.AddTask("hostile", inspect.Waiting, &tasks.Signature{UUID: fmt.Sprint(n, name), Name: name})
	}
	c.AddLetter("hostile", deadletter.Letter{ID: "a", Reason: name, Queue: name, UUID: name})
	c.AddWorker(inspect.Worker{ID: name, Host: name, Queues: []string{name}, Running: []inspect.Run{{UUID: name, Name: name}}})
	for _, arguments := range [][]string{{"tasks", "-queue", "hostile"}, {"dead", "-queue", "hostile"}, {"workers"}, {"queues"}} {
		r := c.run(t, arguments...)
		require.Equal(t, inspect.StatusOK, r.status, r.stderr)
		assert.Less(t, len(r.stdout), 64<<10, arguments)
		assert.NotContains(t, r.stdout, "\x1b")
		assert.NotContains(t, r.stdout, "\u202e")
	}
}

func TestWhoIsAskedCanInterrupt(t *testing.T) {
	c := newConsole(t)
	ctx, interrupt := context.WithCancel(t.Context())
	asked, never := io.Pipe()
	defer never.Close()
	command := c.command
	command.Stdin, command.Stdout = asked, io.Discard
	command.Stderr = writerFunc(func(text []byte) (int, error) {
		if strings.Contains(string(text), "[y/N]") {
			interrupt()
		}
		return len(text), nil
	})
	assert.Equal(t, inspect.StatusInterrupted, command.Run(ctx, []string{"drop", "-queue", "orders"}))
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(text []byte) (int, error) { return w(text) }

func TestCommandListsQueues(t *testing.T) {
	c := newConsole(t)
	got := c.run(t, "queues")
	assert.Equal(t, inspect.StatusOK, got.status)
	assert.Regexp(t, `memory +bulk +1000000 +0 +0 +0 +0 `, got.stdout)
	assert.Regexp(t, `memory +orders +132 +0 +1 +1 +120 `, got.stdout)

	var queues []map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.run(t, "queues", "-json").stdout), &queues))
	assert.Len(t, queues, 5)
}

func TestCommandListsTasksInPages(t *testing.T) {
	c := newConsole(t)
	first := c.read(t, "tasks", "-queue", "orders", "-limit", "100")
	assert.Len(t, first.Entries, 100)
	assert.Equal(t, inspecttest.PlacedUUID, first.Entries[0].UUID)
	rest := c.read(t, "tasks", "-queue", "orders", "-limit", "100", "-cursor", first.Next)
	assert.Len(t, rest.Entries, 32)
	assert.False(t, rest.More)
	filtered := c.read(t, "tasks", "-queue", "orders", "-filter", "order.customer.id = 42", "-limit", "10")
	assert.Len(t, filtered.Entries, 10)
	assert.True(t, filtered.More)
	assert.Equal(t, []any{1, inspecttest.LaterUUID}, func() []any {
		delayed := c.read(t, "tasks", "-queue", "orders", "-state", "delayed")
		return []any{len(delayed.Entries), delayed.Entries[0].UUID}
	}())
}

func TestCommandShowsATaskDecodedAndNoSecret(t *testing.T) {
	c := newConsole(t)
	for _, flags := range [][]string{nil, {"-json"}} {
		got := c.run(t, append([]string{"task", inspecttest.PlacedUUID}, flags...)...)
		assert.Equal(t, inspect.StatusOK, got.status)
		assert.Contains(t, got.stdout, "Ada")
		assert.Contains(t, got.stdout, "PENDING")
		assert.NotContains(t, got.stdout, inspecttest.CardNumber)
		assert.Contains(t, c.run(t, append([]string{"task", inspecttest.PatientUUID}, flags...)...).stdout, inspecttest.BloodGroup)
		assert.Contains(t, c.run(t, append([]string{"task", inspecttest.DoneUUID}, flags...)...).stdout, "SUCCESS")
	}
	c.command.Registry = nil
	assert.NotContains(t, c.run(t, "task", inspecttest.PatientUUID).stdout, inspecttest.BloodGroup)
}

func TestCommandShowsGroupsWorkersAndLetters(t *testing.T) {
	c := newConsole(t)
	assert.Regexp(t, `task_member_2 +FAILURE`, c.run(t, "group", inspecttest.GroupUUID).stdout)
	assert.Regexp(t, `worker-1 +alpha +4711 +orders,reports +1 of 8 .*reports.fetch task_chain`, c.run(t, "workers").stdout)
	assert.Contains(t, c.run(t, "dead", "-queue", "orders", "letter-0").stdout, "payment refused")
	assert.Len(t, c.read(t, "dead", "-queue", "orders", "-filter", "reason = \"payment refused\"").Entries, 40)
}

func TestNamesDoNotReachTheTerminalAsCommands(t *testing.T) {
	c := newConsole(t)
	c.AddMessage("orders\x1b[2J\u202e\r\nx", inspect.Waiting, []byte("x"), errors.New("bad\x1b[1m"))
	got := c.run(t, "queues").stdout
	assert.NotContains(t, got, "\x1b")
	assert.NotContains(t, got, "\u202e")
	assert.NotContains(t, got, "\r")
	assert.NotContains(t, c.run(t, "tasks", "-queue", "orders\x1b[2J\u202e\r\nx").stdout, "\x1b")
}

func TestCommandActsOnAFilterOnceItIsToldTo(t *testing.T) {
	const filter = `order.customer.id = 42 and reason != "payment refused"`
	c := newConsole(t)
	chosen := len(c.read(t, "dead", "-queue", "orders", "-limit", "1000", "-filter", filter).Entries)
	require.Positive(t, chosen)

	assert.Equal(t, inspect.StatusOK, c.run(t, "replay", "-queue", "orders", "-filter", filter, "-dry-run").status)
	refused := c.answer(t.Context(), "n\n", "replay", "-queue", "orders", "-filter", filter)
	assert.Equal(t, inspect.StatusPartly, refused.status)
	assert.Contains(t, refused.stderr, "dead letters of orders\nreplay them? [y/N]")
	assert.Contains(t, refused.stderr, "nothing done, because the answer was not yes; -yes acts without asking")
	assert.NotContains(t, refused.stderr, "some were left")
	assert.Equal(t, inspect.StatusPartly, c.run(t, "drop", "-queue", "orders").status, "nobody answers")
	assert.Len(t, c.read(t, "dead", "-queue", "orders", "-limit", "1000").Entries, 120)

	done := c.answer(t.Context(), "y\n", "replay", "-queue", "orders", "-filter", filter)
	assert.Equal(t, inspect.StatusOK, done.status, done.stderr)
	assert.Len(t, c.read(t, "dead", "-queue", "orders", "-limit", "1000").Entries, 120-chosen)
	assert.Equal(t, inspect.StatusOK, c.run(t, "drop", "-queue", "orders", "-yes").status)
	assert.Empty(t, c.read(t, "dead", "-queue", "orders").Entries)

	assert.Equal(t, inspect.StatusOK, c.run(t, "delete", "-queue", "orders", "-filter", "task = clinic.admit", "-yes").status)
	assert.Equal(t, inspect.StatusNotFound, c.run(t, "task", inspecttest.PatientUUID).status)
	assert.Equal(t, inspect.StatusOK, c.run(t, "run", "-queue", "orders", "-yes").status)
	assert.Empty(t, c.read(t, "tasks", "-queue", "orders", "-state", "delayed").Entries)
}

func TestCommandActsOnWhatIsNamed(t *testing.T) {
	c := newConsole(t)
	assert.Equal(t, inspect.StatusOK, c.run(t, "delete", inspecttest.LaterUUID).status)
	assert.Equal(t, inspect.StatusNotFound, c.run(t, "delete", inspecttest.LaterUUID).status)
	got := c.run(t, "drop", "-queue", "orders", "-json", "letter-1", "letter-none", "letter-2")
	assert.Equal(t, inspect.StatusPartly, got.status)
	assert.Contains(t, got.stdout, `"done": 2`)
	assert.Equal(t, inspect.StatusOK, c.run(t, "pause", "-queue", "orders").status)
	assert.Regexp(t, `orders .*paused`, c.run(t, "queues").stdout)
	assert.Equal(t, inspect.StatusOK, c.run(t, "resume", "-queue", "orders").status)
	assert.NotContains(t, c.run(t, "queues").stdout, "paused")
}

func TestStatusSaysWhatWentWrong(t *testing.T) {
	c := newConsole(t)
	for arguments, want := range map[string]ran{
		"":                              {2, "", "no command: want one of queues,"},
		"queue":                         {2, "", `unknown command "queue", want one of queues,`},
		"tasks":                         {2, "", "tasks: -queue is missing"},
		"task":                          {2, "", "task: want UUID, got 0;"},
		"tasks -queue orders -state x":  {2, "", `-state: unknown state "x"`},
		"tasks -queue orders -limit 0":  {2, "", "-limit: want 1 to 100000"},
		"dead -queue orders -filter a":  {2, "", "filter, column 2: want one of = != ~ !~ < <= > >=; for example: order.customer.id = 42"},
		"queues -source other":          {2, "", `-source: unknown source "other", want one of memory`},
		"completion csh":                {2, "", `completion: unknown shell "csh", want bash, zsh or fish`},
		"drop -queue orders -dry-run x": {2, "", "drop: either names what to act on, or has -filter and -dry-run"},
		"watch -interval 1ms":           {2, "", "-interval: want 1s or more"},
		"queues -x":                     {2, "", "flag provided but not defined: -x"},
		"-json queues":                  {2, "", "-json stands after the command"},
		"task none":                     {3, "", "task none: not found"},
		"group none":                    {3, "", "group none: not found"},
		"tasks -queue none":             {3, "", `queue "none": not found`},
		"dead -queue orders none":       {3, "", "no dead letter with this ID"},
		"pause -queue none":             {3, "", `queue "none": not found`},
	} {
		got := c.run(t, strings.Fields(arguments)...)
		assert.Equal(t, want.status, got.status, arguments)
		assert.Contains(t, got.stderr, "machinery-inspect: "+want.stderr, arguments)
		assert.Empty(t, got.stdout, arguments)
	}
	c.command.Sources = nil
	assert.Equal(t, inspect.StatusUsage, c.run(t, "queues").status)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c = newConsole(t)
	assert.Equal(t, inspect.StatusInterrupted, c.answer(ended, "", "drop", "-queue", "orders", "-yes").status)
}

func TestTheOnlyQueueIsLookedAtAndNotActedOn(t *testing.T) {
	c := newConsole(t)
	several := c.run(t, "dead")
	assert.Equal(t, inspect.StatusUsage, several.status)
	assert.Regexp(t, `dead: -queue is missing after dead, want one of .*orders`, several.stderr)

	only := inspecttest.New("memory")
	only.AddQueue("far")
	c.command.Sources = []inspect.Source{only}
	assert.Equal(t, inspect.StatusOK, c.run(t, "tasks").status)
	assert.Equal(t, inspect.StatusOK, c.run(t, "dead").status)
	for _, acts := range []string{"pause", "resume", "replay -yes", "drop -yes", "delete -yes", "run -yes"} {
		got := c.run(t, strings.Fields(acts)...)
		assert.Equal(t, inspect.StatusUsage, got.status, acts)
		assert.Contains(t, got.stderr, "-queue is missing", acts)
	}
	assert.NotContains(t, c.run(t, "queues").stdout, "paused")
}

func TestFlagsOfTheProgramStandBeforeTheCommand(t *testing.T) {
	c := newConsole(t)
	c.command.Flags = func(f *flag.FlagSet) { f.String("redis", "", "") }
	got := c.run(t, "queues", "-redis", "redis://127.0.0.1:1")
	assert.Equal(t, inspect.StatusUsage, got.status)
	assert.Contains(t, got.stderr, "-redis stands before queues")
}

func TestOneOfSeveralSourcesIsMeant(t *testing.T) {
	c := newConsole(t)
	other := inspecttest.New("other")
	other.AddQueue("orders")
	other.AddQueue("far")
	c.command.Open = func(context.Context) ([]inspect.Source, error) { return []inspect.Source{other}, nil }
	assert.Equal(t, inspect.StatusUsage, c.run(t, "pause", "-queue", "orders").status)
	assert.Equal(t, inspect.StatusOK, c.run(t, "pause", "-queue", "far").status)
	assert.Equal(t, inspect.StatusOK, c.run(t, "pause", "-queue", "orders", "-source", "other").status)
	assert.Regexp(t, `other +orders .*paused`, c.run(t, "queues").stdout)
	assert.NotRegexp(t, `memory +orders .*paused`, c.run(t, "queues").stdout)

	c.command.Open = func(context.Context) ([]inspect.Source, error) { return nil, errors.New("refused") }
	assert.Equal(t, ran{inspect.StatusFailed, "", "machinery-inspect: refused\n"}, c.run(t, "queues"))
}

func TestHelpListsCommandsAndFlags(t *testing.T) {
	c := newConsole(t)
	c.command.Name = "shop"
	c.command.Flags = func(f *flag.FlagSet) { f.String("redis", "", "`url` of Redis") }
	help := c.run(t, "help")
	assert.Equal(t, inspect.StatusOK, help.status)
	for _, want := range []string{"usage: shop [flags] command", "-redis url  url of Redis", "replay [ID…]", "exit status: 0"} {
		assert.Contains(t, help.stdout, want)
	}
	assert.Equal(t, help, c.run(t, "-h"))
	assert.Contains(t, c.run(t, "dead", "-h").stdout, "usage: shop dead [flags] [ID]\n\n  -queue name")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := c.run(t, "completion", shell)
		assert.Equal(t, inspect.StatusOK, script.status)
		assert.Contains(t, script.stdout, "queues")
	}
}

// drawn ends a watch once the screen was drawn so many times.
type drawn struct {
	bytes.Buffer
	left   int
	cancel context.CancelFunc
}

func (d *drawn) Write(text []byte) (int, error) {
	if bytes.HasPrefix(text, []byte("\x1b[H")) {
		if d.left--; d.left == 0 {
			d.cancel()
		}
	}
	return d.Buffer.Write(text)
}

func TestWatchRedrawsUntilItIsInterruptedAndLeavesTheScreenAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsole(t)
		ctx, cancel := context.WithCancel(t.Context())
		screen := &drawn{left: 3, cancel: cancel}
		c.command.Stdout, c.command.Stderr = screen, new(bytes.Buffer)
		c.Finish("orders", 10)
		time.AfterFunc(time.Minute/2, func() { c.Finish("orders", 300); c.Fail(errors.New("down")) })
		assert.Equal(t, inspect.StatusOK, c.command.Run(ctx, []string{"watch", "-interval", "20s"}))
		assert.Equal(t, 3, strings.Count(screen.String(), "\x1b[H"))
		assert.Contains(t, screen.String(), "worker-1")
		assert.Regexp(t, `memory: since [0-9:]+: down`, screen.String())
		assert.True(t, strings.HasSuffix(screen.String(), "\x1b[?1049l"))
	})
}

// Workers on Redis tell every 7.5 s what they have done.
func TestWatchShowsARateOfWhatIsCountedInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsole(t)
		ctx, cancel := context.WithCancel(t.Context())
		screen := &drawn{left: 19, cancel: cancel}
		c.command.Stdout, c.command.Stderr = screen, new(bytes.Buffer)
		c.Finish("orders", 75)
		for step := range 10 {
			time.AfterFunc(time.Duration(step)*7500*time.Millisecond, func() { c.Finish("orders", 75) })
		}
		assert.Equal(t, inspect.StatusOK, c.command.Run(ctx, []string{"watch"}))
		last := screen.String()[strings.LastIndex(screen.String(), "\x1b[H"):]
		assert.Regexp(t, `memory +orders .* 9\.4\s*\x1b`, last, "150 tasks in the last 16 seconds")
	})
}

func TestCompletionsAreScriptsOfTheirShells(t *testing.T) {
	c := newConsole(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			command := exec.Command(services.Program(t, shell), "-n")
			command.Stdin = strings.NewReader(c.run(t, "completion", shell).stdout)
			output, err := command.CombinedOutput()
			assert.NoError(t, err, "%s", output)
		})
	}
}

// addressed hands over the first line that is written.
type addressed struct{ first chan string }

func (a addressed) Write(text []byte) (int, error) {
	select {
	case a.first <- strings.TrimSpace(string(text)):
	default:
	}
	return len(text), nil
}

func TestServeServesThePageUntilItIsInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newConsole(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address := addressed{make(chan string, 1)}
	c.command.Stdout, c.command.Stderr = address, new(bytes.Buffer)
	status := make(chan int, 1)
	go func() { status <- c.command.Run(ctx, []string{"serve", "-listen", "127.0.0.1:0"}) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(<-address.first)
	require.NoError(t, err)
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, string(page), "memory")
	cancel()
	assert.Equal(t, inspect.StatusOK, <-status)
	assert.Equal(t, inspect.StatusFailed, c.run(t, "serve", "-listen", "256.0.0.1:1").status)
}
