package inspect_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type (
	card     string
	customer struct {
		ID     int64 `json:"id"`
		Name   string
		Card   card
		Parent *customer
	}
	line  struct{ SKU string }
	order struct {
		Customer customer  `json:"customer"`
		Lines    []line    `json:"lines"`
		At       time.Time `json:"at"`
		Extra    any       `json:"extra"`
		Big      uint64    `json:"big"`
		Rush     bool
	}
)

func newRegistry(t testing.TB) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[card](r, "orders.Card", envelope.Secret()))
	require.NoError(t, envelope.Register[customer](r, "orders.Customer"))
	require.NoError(t, envelope.Register[order](r, "orders.Order"))
	return r
}

// shipment is a task about an order and a number.
func shipment(t testing.TB, r *envelope.Registry) *tasks.Signature {
	t.Helper()
	text, err := r.Marshal(t.Context(), order{
		Customer: customer{ID: 42, Name: "Ada Lovelace", Card: "4711"},
		Lines:    []line{{"A-1"}, {"B-2"}},
		At:       time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Extra:    []any{customer{Name: "inner"}},
		Big:      18446744073709551615,
	})
	require.NoError(t, err)
	return &tasks.Signature{UUID: "u-1", Name: "orders.ship", RoutingKey: "urgent", Args: []tasks.Arg{
		{Type: "string", Value: text}, {Name: "count", Type: "int64", Value: 3}}}
}

// chooses tries filters on a task about an order and a number, which was sent two hours ago.
func chooses(t *testing.T, filters map[string]bool) {
	t.Helper()
	r := newRegistry(t)
	task := inspect.Task{Name: "orders.ship", Queue: "urgent", Sent: time.Now().Add(-2 * time.Hour), Signature: shipment(t, r)}
	for text, want := range filters {
		filter, err := inspect.ParseFilter(text)
		require.NoError(t, err, text)
		got, err := filter.MatchTask(t.Context(), r, task)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		assert.Equal(t, text == "", filter.IsZero())
	}
}

func TestFilterChoosesByWhatATaskIs(t *testing.T) {
	chooses(t, map[string]bool{
		"":                                  true,
		"task = orders.ship":                true,
		"task = orders":                     false,
		"task ~ SHIP":                       true,
		"task !~ ship":                      false,
		"task != orders.bill":               true,
		"queue=urgent and task=orders.ship": true,
		"queue = urgent AND queue = slow":   false,
		"reason ~ x":                        false,
		"reason != x":                       false,
		"age > 1h":                          true,
		"age > 1h59m":                       true,
		"age < 1d2h":                        true,
		"age >= 3d":                         false,
		"type = orders.Order":               true,
		"type = orders.Customer":            true,
		"type = int64":                      true,
		"type = orders.Bill":                false,
		"type != orders.Order":              false,
		"type ~ order":                      true,
	})
}

func TestFilterChoosesByWhatIsInTheArguments(t *testing.T) {
	chooses(t, map[string]bool{
		"order.customer.id = 42":                           true,
		"Order.Customer.ID = 42.0":                         true,
		`order.customer.id = "42"`:                         false,
		"order.customer.id != 42":                          false,
		"order.customer.id >= 42":                          true,
		"order.customer.id < 4.2e1":                        false,
		"order.customer.id > 41.999":                       true,
		"order.big = 18446744073709551615":                 true,
		"order.big > 18446744073709551614":                 true,
		"order.customer.parent = null":                     true,
		"order.customer.parent != null":                    false,
		"order.rush = false":                               true,
		`order.rush = "false"`:                             false,
		`order.customer.name = "Ada Lovelace"`:             true,
		"order.customer.name ~ love":                       true,
		"order.lines[1].sku = B-2":                         true,
		"order.lines[*].sku = B-2":                         true,
		"order.lines[*].sku != B-2":                        false,
		"order.lines[*].sku != C-3":                        true,
		"order.lines[2].sku != C-3":                        false,
		"order.at > 2026-01-31":                            true,
		"order.at < 2026-01-31T13:00:00+01:00":             false,
		"order.at <= 2026-01-31T13:00:00+01:00":            true,
		"order.extra[0].name = inner":                      true,
		"order.none != 1":                                  false,
		"[0].customer.id = 42":                             true,
		"[1] = 3":                                          true,
		"[2] = 3":                                          false,
		"count = 3 and [*] = 3":                            true,
		`["count"] > 2`:                                    true,
		"order.customer.id > 1e999999999":                  false,
		"order.customer.id = " + strings.Repeat("9", 1000): false,
	})
}

func TestFilterChoosesDeadLetters(t *testing.T) {
	r := newRegistry(t)
	letter := deadletter.Letter{Task: shipment(t, r), Queue: "urgent", Reason: "dial: connection refused", Time: time.Now().Add(-time.Hour)}
	unread := deadletter.Letter{Queue: "urgent", Reason: "message is no task"}
	for text, want := range map[string][2]bool{
		`reason ~ "Connection Refused"`: {true, false},
		"reason !~ refused":             {false, true},
		"task = orders.ship":            {true, false},
		"task != orders.ship":           {false, false},
		"age < 2h":                      {true, false},
		"age > 1m":                      {true, false},
		"order.customer.id = 42":        {true, false},
		"queue = urgent":                {true, true},
	} {
		filter, err := inspect.ParseFilter(text)
		require.NoError(t, err, text)
		for i, l := range []deadletter.Letter{letter, unread} {
			got, err := filter.MatchLetter(t.Context(), r, l)
			require.NoError(t, err, text)
			assert.Equal(t, want[i], got, text)
		}
	}
}

func TestAFilterTellsNothingOfASecret(t *testing.T) {
	r := newRegistry(t)
	task := inspect.Task{Name: "orders.ship", Signature: shipment(t, r)}
	for _, operator := range []string{"=", "!=", "~", "!~", "<", "<=", ">", ">="} {
		for _, value := range []string{"4711", `"4711"`, "null", "0", "9999"} {
			for _, path := range []string{"order.customer.card", "[*].customer.card", "order.customer[*].x", "order.customer.card.digits[0]"} {
				filter, err := inspect.ParseFilter(path + " " + operator + " " + value)
				require.NoError(t, err)
				got, err := filter.MatchTask(t.Context(), r, task)
				require.NoError(t, err)
				assert.False(t, got, filter)
			}
		}
	}
}

func TestWhatIsLongOrDeepBeyondReasonIsNotCompared(t *testing.T) {
	deep := any("x")
	for range 5000 {
		deep = []any{deep}
	}
	s := &tasks.Signature{Name: "add", Args: []tasks.Arg{
		{Name: "long", Value: json.Number(strings.Repeat("9", 600))}, {Name: "short", Value: json.Number("99")}, {Name: "deep", Value: deep},
	}}
	for text, want := range map[string]bool{"long > 1": false, "long < 1": false, "short > 1": true, "short > 1e999999999": false} {
		got, err := parseFilter(t, text).MatchTask(t.Context(), nil, inspect.Task{Name: s.Name, Signature: s})
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	_, err := parseFilter(t, "deep = x").MatchTask(t.Context(), nil, inspect.Task{Name: s.Name, Signature: s})
	require.ErrorIs(t, err, inspect.ErrUnread)
	assert.ErrorContains(t, err, "nested too deep")
}

func TestAFilterHoldsOfNothingWhereOneOfItsValuesIsASecret(t *testing.T) {
	r := newRegistry(t)
	sealed, err := r.Marshal(t.Context(), card("4711"))
	require.NoError(t, err)
	for _, args := range [][]tasks.Arg{
		{{Name: "a", Value: sealed}, {Name: "b", Value: map[string]any{"id": 42}}},
		{{Name: "b", Value: map[string]any{"id": 42}}, {Name: "a", Value: sealed}},
	} {
		task := inspect.Task{Name: "pay", Signature: &tasks.Signature{Name: "pay", Args: args}}
		for text, want := range map[string]bool{"[*].id = 42": false, "[*].id != 7": false, "b.id = 42": true} {
			got, err := parseFilter(t, text).MatchTask(t.Context(), r, task)
			require.NoError(t, err)
			assert.Equal(t, want, got, text)
		}
	}
}

// Some applications hand on envelopes, such as an outbox does, in lists and maps of their own.
func TestEnvelopesInPlainValuesKeepTheirSecrets(t *testing.T) {
	r := newRegistry(t)
	sealed, err := r.Marshal(t.Context(), card("4711"))
	require.NoError(t, err)
	open, err := r.Marshal(t.Context(), customer{ID: 42})
	require.NoError(t, err)
	s := &tasks.Signature{Name: "outbox.send", Args: []tasks.Arg{
		{Name: "all", Type: "[]string", Value: []any{sealed, open, sealed[:len(sealed)-1], "plain 42"}},
		{Name: "one", Value: map[string]any{"$envelope": 1, "type": "orders.Card", "data": "4711"}},
	}}
	var shown strings.Builder
	for _, a := range inspect.Arguments(t.Context(), r, s) {
		require.NoError(t, a.Err)
		shown.WriteString(a.Description.Value.String())
	}
	assert.NotContains(t, shown.String(), "4711")
	assert.Contains(t, shown.String(), "orders.Card(…)")
	assert.Contains(t, shown.String(), "42")
	for text, want := range map[string]bool{
		"all[0] ~ 4711": false, "all[0] !~ 9": false, "one ~ 4711": false, "all[1].id = 42": true,
		"all[2] !~ x": false, "all[3] = \"plain 42\"": true,
	} {
		got, err := parseFilter(t, text).MatchTask(t.Context(), r, inspect.Task{Name: s.Name, Signature: s})
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestWithoutARegistryAFilterReadsJSONInClearText(t *testing.T) {
	task := inspect.Task{Name: "orders.ship", Signature: shipment(t, newRegistry(t))}
	for text, want := range map[string]bool{
		"order.customer.id = 42":           true,
		"order.extra[0].name = inner":      true,
		"type = orders.Customer":           true,
		"order.big > 18446744073709551614": true,
		"count = 4":                        false,
	} {
		filter, err := inspect.ParseFilter(text)
		require.NoError(t, err)
		got, err := filter.MatchTask(t.Context(), nil, task)
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
}

func TestWithoutARegistryANestedEnvelopeOfAnotherCodecIsNotShown(t *testing.T) {
	for codec, want := range map[string]envelope.NodeKind{"cbor": envelope.Opaque, "json": envelope.String} {
		text := `{"$envelope":1,"type":"any","data":[{"$envelope":1,"type":"orders.Card","codec":"` + codec + `","data":"NDcxMQ=="}]}`
		arguments := inspect.Arguments(t.Context(), nil, &tasks.Signature{Args: []tasks.Arg{{Type: "string", Value: text}}})
		require.NoError(t, arguments[0].Err)
		inner := arguments[0].Description.Value.Nodes[0]
		assert.Equal(t, want, inner.Kind, codec)
		assert.Equal(t, "orders.Card", inner.Type)
	}
}

func TestAFilterSaysWhereItCannotTell(t *testing.T) {
	broken := &tasks.Signature{Name: "orders.ship", Args: []tasks.Arg{{Type: "string", Value: `{"$envelope":1,"type":"orders.Order","data":{"big":4711`}}}
	task := inspect.Task{Name: "orders.ship", Signature: broken}
	for _, r := range []*envelope.Registry{nil, newRegistry(t)} {
		for text, want := range map[string]error{
			"[0].big = 4711":                             inspect.ErrUnread,
			"type = orders.Order":                        inspect.ErrUnread,
			"task = orders.bill and [0].big = 4711":      nil,
			"task = orders.ship":                         nil,
			"[0].big = 4711 and [1].none = 1":            nil,
			"task = orders.ship and [0].customer.id = 1": inspect.ErrUnread,
		} {
			filter, err := inspect.ParseFilter(text)
			require.NoError(t, err)
			_, err = filter.MatchTask(t.Context(), r, task)
			require.ErrorIs(t, err, want, text)
			if err != nil {
				assert.NotContains(t, err.Error(), "4711")
			}
		}
	}
}

func TestAFilterThatCannotBeReadSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"order.customer.id":            "column 18: want one of = != ~ !~ < <= > >=; for example: order.customer.id = 42",
		"order.customer.id = ":         "column 21: want a value after =; for example: order.customer.id = 42",
		"order..id = 1":                "column 7: want task, type, queue, reason, age or a path in the arguments; for example: order.customer.id = 42",
		"order.lines[x] = 1":           "column 13: want an index, * or a \"name\" in brackets; for example: order.lines[0].sku = \"A-1\"",
		"order.lines[0 = 1":            "column 14: want ]; for example: order.lines[0].sku = \"A-1\"",
		"ä = \"b":                      "column 5: want a text in double quotes, which ends; for example: reason ~ \"connection refused\"",
		"task = a queue = b":           "column 10: want and between two conditions; for example: task = orders.ship and age > 2h",
		"task = a and":                 "column 13: want a condition after and; for example: task = orders.ship and age > 2h",
		"task < a":                     "column 6: < does not go with task; for example: task = orders.ship",
		"queue >= a":                   "column 7: >= does not go with queue; for example: queue = urgent",
		"age = 2h":                     "column 5: = does not go with age; for example: age > 2h30m",
		"age > soon":                   "column 7: want an age, in d, h, m and s; for example: age > 2h30m",
		"reason ~ connection refused":  "column 21: want and between two conditions; for example: task = orders.ship and age > 2h",
		"task == a":                    "column 7: want a word, or text in double quotes; for example: task = orders.ship",
		"task = \"a\"b":                "column 11: want a space after the text; for example: task = orders.ship and age > 2h",
		"task = a\x00":                 "column 9: has a character that is no text; for example: task = orders.ship and age > 2h",
		strings.Repeat("a", 5000):      "column 1: is longer than 4096 bytes; for example: task = orders.ship and age > 2h",
		strings.Repeat("a=1 and ", 33): "column 253: has more than 32 conditions; for example: task = orders.ship and age > 2h",
	} {
		_, err := inspect.ParseFilter(text)
		var problem *inspect.FilterError
		require.ErrorAs(t, err, &problem, text)
		assert.Equal(t, "filter, "+want, err.Error(), text)
		_, err = inspect.ParseFilter(problem.Example)
		assert.NoError(t, err)
	}
}

// conditionTexts draws conditions as people may write them.
func conditionTexts(t *rapid.T) string {
	value := rapid.OneOf(rapid.StringMatching(`[a-z0-9.:+-]{1,8}`), rapid.StringMatching(`"[a-z \\n]{0,0}"`),
		rapid.Map(rapid.StringN(0, 8, -1), func(s string) string { return strconv.Quote(s) })).Draw(t, "value")
	space := rapid.SampledFrom([]string{"", " ", "\t "}).Draw(t, "space")
	subject := rapid.SampledFrom([]string{"task", "type", "queue", "reason"}).Draw(t, "field")
	operators := []string{"=", "!=", "~", "!~"}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return "age" + space + rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(t, "operator") + space +
			rapid.SampledFrom([]string{"1s", "2h30m", "3d", "3d1h", "0s"}).Draw(t, "age")
	case 1:
		first := rapid.OneOf(rapid.StringMatching(`[a-zäß_$-][a-z0-9ä-]{0,5}`), rapid.StringMatching(`\[([0-9]{1,6}|\*)\]`)).Draw(t, "first")
		steps := rapid.SliceOfN(rapid.OneOf(rapid.StringMatching(`\.[a-z0-9ä]{1,5}`), rapid.StringMatching(`\[([0-9]{1,6}|\*)\]`),
			rapid.Map(rapid.String(), func(s string) string { return "[" + strconv.Quote(s) + "]" })), 1, 4).Draw(t, "steps")
		subject = first + strings.Join(steps, "")
		operators = append(operators, "<", "<=", ">", ">=")
	}
	return subject + space + rapid.SampledFrom(operators).Draw(t, "operator") + space + value
}

func TestEveryFilterIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.Custom(conditionTexts), 0, 5).Draw(t, "conditions"), " and ")
		filter, err := inspect.ParseFilter(text)
		if errors.As(err, new(*inspect.FilterError)) && len(text) > 4096 {
			t.Skip("too long")
		}
		require.NoError(t, err, text)
		again, err := inspect.ParseFilter(filter.String())
		require.NoError(t, err, filter)
		assert.Equal(t, filter, again)
	})
}

func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{"", "order.customer.id = 42", `reason ~ "a\"b" and age > 3d`, `["a b"][*][0].x !~ y`, "a=\"", "age<1", "[", "type=[]orders.Order"} {
		f.Add(text)
	}
	r := newRegistry(f)
	task := inspect.Task{Name: "orders.ship", Queue: "urgent", Sent: time.Now(), Signature: shipment(f, r)}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := inspect.ParseFilter(text)
		if err != nil {
			var problem *inspect.FilterError
			require.ErrorAs(t, err, &problem)
			require.LessOrEqual(t, problem.Column, len(text)+1)
			return
		}
		again, err := inspect.ParseFilter(filter.String())
		if err != nil && len(filter.String()) > 4096 {
			return
		}
		require.NoError(t, err)
		require.Equal(t, filter, again)
		_, err = filter.MatchTask(t.Context(), r, task)
		require.NoError(t, err)
	})
}
