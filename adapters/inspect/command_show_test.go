package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

type parcel struct{ Grams int }

func TestCommandNamesTheCodecOfAnArgument(t *testing.T) {
	registry := envelope.NewRegistry()
	require.NoError(t, envelope.Register[parcel](registry, "depot.Parcel", envelope.UseCodec(cborcodec.Codec{})))
	text, err := registry.Marshal(t.Context(), parcel{700})
	require.NoError(t, err)
	c := newConsole(t)
	c.AddTask("depot", inspect.Waiting, &tasks.Signature{UUID: "task_parcel", Name: "depot.weigh", Args: []tasks.Arg{
		{Name: "parcel", Type: "string", Value: text}, {Name: "times", Type: "int64", Value: 2},
	}})
	for _, known := range []*envelope.Registry{registry, nil} {
		c.command.Registry = known
		got := c.run(t, "task", "task_parcel")
		assert.Contains(t, got.stdout, "  parcel  depot.Parcel, codec cbor\n")
		assert.Contains(t, got.stdout, "  times  int64\n", "what has no envelope has no codec to tell")
	}
}

// Machinery never writes one, but it is not alone with its backend.
func TestANullResultIsShownAsOne(t *testing.T) {
	c := newConsole(t)
	c.SetState(&tasks.TaskState{TaskUUID: "task_null", TaskName: "orders.price", State: tasks.StateSuccess,
		Results: []*tasks.TaskResult{nil, {Type: "int64", Value: 7}}})
	for _, registry := range []*envelope.Registry{c.command.Registry, nil} {
		c.command.Registry = registry
		got := c.run(t, "task", "task_null")
		assert.Equal(t, inspect.StatusOK, got.status, got.stderr)
		assert.Regexp(t, `Results\n  \[0\] +\n    null\n  \[1\]  int64\n    7\n`, got.stdout)
		assert.Regexp(t, `"results": \[\s*\{\s*"type": "",\s*"codec": "json",\s*"value": null\s*\},`, c.run(t, "task", "task_null", "-json").stdout)
	}
}

func TestASourceThatCannotTellKeepsNoOtherFromBeingAsked(t *testing.T) {
	c := newConsole(t)
	dumb := inspecttest.New("rabbitmq")
	dumb.AddQueue("mails")
	dumb.HideContents()
	c.command.Sources = []inspect.Source{dumb, c.Source}
	assert.Contains(t, c.run(t, "task", inspecttest.PlacedUUID).stdout, "memory")
	assert.Equal(t, inspect.StatusOK, c.run(t, "delete", inspecttest.PlacedUUID).status)

	unknown := c.run(t, "task", "task_none")
	assert.Equal(t, inspect.StatusUnsupported, unknown.status, "it may be where nothing is told")
	assert.Contains(t, unknown.stderr, "rabbitmq: ")
}

// failingStore loses its server after it has dropped some letters.
type failingStore struct {
	deadletter.Store
	left int
}

func (s *failingStore) Drop(ctx context.Context, id string) error {
	if s.left == 0 {
		return errors.New("connection refused")
	}
	s.left--
	return s.Store.Drop(ctx, id)
}

type failingSource struct {
	*inspecttest.Source
	store *failingStore
}

func (s failingSource) DeadLetters(queue string) (_ deadletter.Store, err error) {
	s.store.Store, err = s.Source.DeadLetters(queue)
	return s.store, err
}

func TestCommandTellsWhatWasDoneBeforeTheServerFailed(t *testing.T) {
	c := newConsole(t)
	c.command.Sources = []inspect.Source{failingSource{c.Source, &failingStore{left: 2}}}
	got := c.run(t, "drop", "-queue", "orders", "letter-1", "letter-2", "letter-3")
	assert.Equal(t, inspect.StatusFailed, got.status)
	assert.Equal(t, "drop: 2 done, 0 failed\n", got.stdout)
	assert.Contains(t, got.stderr, "connection refused")
}

func TestProgressIsReportedToTheEnd(t *testing.T) {
	c := newConsole(t)
	for n := range 255 {
		c.AddLetter("many", deadletter.Letter{ID: fmt.Sprint("many-", n), Queue: "many"})
	}
	got := c.run(t, "drop", "-queue", "many", "-yes")
	assert.Contains(t, got.stderr, "\rdrop: 254 of 255, 0 failed\rdrop: 255 of 255, 0 failed\n")
}

// A list has not got the whole of a large message: a filter cannot tell.
func TestWhatAListHasCutOffIsUnread(t *testing.T) {
	c := newConsole(t)
	large := strings.Repeat("x", inspect.MaxBody)
	signature := &tasks.Signature{UUID: "task_large", Name: "orders.price", Args: []tasks.Arg{{Name: "note", Type: "string", Value: large}}}
	c.AddTask("large", inspect.Waiting, signature)
	c.AddLetter("large", deadletter.Letter{ID: "letter-large", UUID: "task_large", Queue: "large", Reason: "too much", Body: []byte(large)})
	for _, filter := range []string{"note ~ x", "type = string", "note != y and task = orders.price"} {
		got := c.read(t, "tasks", "-queue", "large", "-filter", filter)
		assert.Equal(t, 1, got.Unread, filter)
		assert.Empty(t, got.Entries, filter)
	}
	assert.Len(t, c.read(t, "tasks", "-queue", "large", "-filter", "task = orders.price").Entries, 1, "the list has its name")
	assert.Zero(t, c.read(t, "tasks", "-queue", "large", "-filter", "note ~ x and task = orders.ship").Unread)

	assert.Equal(t, 1, c.read(t, "dead", "-queue", "large", "-filter", "task = orders.price").Unread)
	assert.Zero(t, c.read(t, "dead", "-queue", "large", "-filter", "note ~ x and reason ~ timeout").Unread)
	assert.Len(t, c.read(t, "dead", "-queue", "large", "-filter", "reason ~ much").Entries, 1)
	assert.Contains(t, c.run(t, "dead", "-queue", "large", "-json").stdout, `"size": -1`, "it is not known")
	assert.Contains(t, c.run(t, "dead", "-queue", "large", "-json", "letter-large").stdout, `"size": 65536`)
}

func TestAGroupThatGoesOnTellsWhere(t *testing.T) {
	c := newConsole(t)
	first := c.run(t, "group", inspecttest.GroupUUID, "-limit", "2")
	assert.Equal(t, 3, strings.Count(first.stdout, "\n"), first.stdout)
	require.Equal(t, "more: -cursor 2\n", first.stderr)
	assert.NotContains(t, c.run(t, "group", inspecttest.GroupUUID, "-limit", "2", "-cursor", "2").stdout, "task_member_1 ")
	assert.Empty(t, c.run(t, "group", inspecttest.GroupUUID).stderr)
	assert.Empty(t, c.run(t, "group", inspecttest.GroupUUID, "-limit", "2", "-json").stderr, "it stands in the JSON")
}
