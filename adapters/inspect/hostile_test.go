package inspect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// maxPage is how long a page may be, whatever is in the queues.
const maxPage = 1 << 20

func hold(name string, args ...tasks.Arg) *tasks.Signature {
	return &tasks.Signature{UUID: "task_" + name, Name: name, Args: args}
}

func TestPagesStaySmallWhateverTheArguments(t *testing.T) {
	text := func(value string) tasks.Arg { return tasks.Arg{Type: "string", Value: value} }
	source := inspecttest.New("redis")
	for name, arg := range map[string]tasks.Arg{
		"long":       text(strings.Repeat("<", 50<<20)),
		"envelope":   text(`{"$envelope":1,"type":"string","data":"` + strings.Repeat("x", 50<<20) + `"}`),
		"wide":       text(`{"$envelope":1,"type":"any","data":[` + strings.Repeat("0,", 1<<20) + `0]}`),
		"deep":       text(`{"$envelope":1,"type":"any","data":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`),
		"broken":     text(`{"$envelope":1,"type":"any","data":` + strings.Repeat("[", 5000)),
		"headerless": text(`{"$envelope":` + strings.Repeat(" ", 1<<20) + `1`),
		"strange":    text("\x00\xff\u202e\u2066<b>"),
		"slice":      {Type: "[]string", Value: []any{strings.Repeat("y", 1<<20), nil, map[string]any{"a": []any{1.5}}}},
		"numbers":    {Type: "[]int64", Value: manyNumbers()},
	} {
		source.AddTask("hostile", inspect.Waiting, hold(name, arg))
	}
	wide := text(`{"$envelope":1,"type":"any","data":[` + strings.Repeat("0,", 10_000) + `0]}`)
	source.AddTask("hostile", inspect.Waiting, hold("many", slices.Repeat([]tasks.Arg{wide}, 100)...))
	for _, registry := range []*envelope.Registry{inspecttest.NewRegistry(), nil} {
		handler := inspect.NewHandler(registry, []inspect.Source{source})
		b := &browser{t: t, handler: handler}
		list := b.page("/redis/queue?queue=hostile")
		assert.Less(t, len(list), maxPage)
		for _, uuid := range tasksOf(t, source) {
			page := b.page("/redis/task?uuid=" + uuid)
			assert.Less(t, len(page), maxPage, uuid)
			isLarge := uuid == "task_long" || uuid == "task_envelope"
			assert.Equal(t, isLarge, strings.Contains(page, "Too large to be shown here."), uuid)
			assert.NotContains(t, page, "<b>")
			assert.NotContains(t, page, "\u202e")
		}
		require.NoError(t, handler.Close())
	}
}

func manyNumbers() []any {
	numbers := make([]any, 1<<20)
	for i := range numbers {
		numbers[i] = float64(i)
	}
	return numbers
}

func tasksOf(t *testing.T, source *inspecttest.Source) (uuids []string) {
	page, err := source.Tasks(t.Context(), "hostile", inspect.Waiting, inspect.Page{})
	require.NoError(t, err)
	for _, task := range page.Tasks {
		uuids = append(uuids, task.UUID)
	}
	return uuids
}

func TestAMillionTasksAreListedByPages(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	page := b.page("/redis/queue?queue=bulk")
	assert.Less(t, len(page), 100<<10)
	assert.Contains(t, page, "1,000,000")
	last := b.page(fmt.Sprintf("/redis/queue?queue=bulk&cursor=%d", inspecttest.Million-3))
	assert.Contains(t, last, "task_bulk_999999")
	assert.NotContains(t, last, "Next page")
	assert.Contains(t, last, "First page")
}

func TestABrokenMessageIsAnEntryAndItsTextIsShownUnlessItMayHoldASecret(t *testing.T) {
	source := filled(t)
	source.AddMessage("orders", inspect.PutBack, []byte(`{"Args":[{"Value":"{\"$envelope\":1,\"type\":\"payments.Card\",\"data\":{\"number\":\"`+
		inspecttest.CardNumber+`\"}}`), fmt.Errorf("unexpected end"))
	b := open(t, []inspect.Source{source})
	page := b.page("/redis/queue?queue=orders&state=put-back")
	assert.Contains(t, page, "Not a task")
	assert.Contains(t, page, "Unexpected end.")
	assert.NotContains(t, page, inspecttest.CardNumber)
	letter := b.page("/redis/letter?queue=reports&letter=letter-broken")
	assert.Contains(t, letter, "{broken &lt;b&gt;\uFFFD")
}

func TestAFlowWithManyTasksIsDrawnInPart(t *testing.T) {
	source := inspecttest.New("redis")
	first := hold("first")
	for i := range 500 {
		first.OnSuccess = append(first.OnSuccess, hold(fmt.Sprintf("next_%d", i)))
	}
	deep := hold("deep")
	for s, i := deep, 0; i < 500; i++ {
		s.OnSuccess = []*tasks.Signature{hold(fmt.Sprintf("deep_%d", i)), nil}
		s = s.OnSuccess[0]
	}
	source.AddTask("flows", inspect.Waiting, first)
	source.AddTask("flows", inspect.Waiting, deep)
	b := open(t, []inspect.Source{source})
	for _, uuid := range []string{"task_first", "task_deep"} {
		page := b.page("/redis/task?uuid=" + uuid)
		assert.Contains(t, page, "More tasks belong to it than are drawn.")
		assert.Less(t, len(page), 100<<10)
	}
	assert.LessOrEqual(t, source.Calls()["TaskState"], 2*9)
}
