package delivery_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const megabyte = 1 << 20

// filled is a message of 4 MB, most of which is one element again and again.
func filled(before, element, after string) []byte {
	n := 4 * megabyte / (len(element) + 1)
	return []byte(before + strings.Repeat(element+",", n) + element + after)
}

// hostile are messages that encoding/json would make very much of.
var hostile = map[string][]byte{
	"callbacks":                       filled(`{"Name":"t","OnSuccess":[`, `{}`, `]}`),
	"error callbacks":                 filled(`{"Name":"t","OnError":[`, `{}`, `]}`),
	"callbacks that are none":         filled(`{"Name":"t","OnSuccess":[`, `1`, `]}`),
	"callbacks of callbacks":          filled(`{"Name":"t","OnSuccess":[{"OnSuccess":[`, `{}`, `]}]}`),
	"callbacks of a chord's":          filled(`{"Name":"t","ChordCallback":{"OnSuccess":[`, `{}`, `]}}`),
	"callbacks in lower case":         filled(`{"Name":"t","onsuccess":[`, `{}`, `]}`),
	"callbacks in another s":          filled(`{"Name":"t","OnſucceſS":[`, `{}`, `]}`),
	"callbacks with escapes":          filled(`{"Name":"t","On\u0053uccess":[`, `{}`, `]}`),
	"chord callbacks, time and again": filled(`{"Name":"t",`, `"ChordCallback":{"ChordCallback":{}}`, `}`),
	"arguments":                       filled(`{"Name":"t","Args":[`, `{}`, `]}`),
	"arguments that are none":         filled(`{"Name":"t","Args":[`, `1`, `]}`),
	"objects in an argument":          filled(`{"Name":"t","Args":[{"Value":[`, `{"":0}`, `]}]}`),
	"arrays in an argument":           filled(`{"Name":"t","Args":[{"Value":[`, `[]`, `]}]}`),
	"objects in a header":             filled(`{"Name":"t","Headers":{"":[`, `{"":{}}`, `]}}`),
	"white space between":             filled("{ \"Name\" : \"t\" ,\n\"OnSuccess\" : [ ", "\t{ }", ` ] }`),
}

func TestAHostileMessageTakesNoMoreMemoryThanItIsLong(t *testing.T) {
	for name, body := range hostile {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocated(func() { _, err = delivery.Decode(body) })
			assert.ErrorIs(t, err, envelope.ErrLimit)
			assert.ErrorIs(t, err, deadletter.ErrNoTask)
			assert.Less(t, used, len(body))
		})
	}
}

// What is not refused is in proportion: lists of numbers, which are arguments like any, take most.
func TestWhatIsDecodedIsInProportion(t *testing.T) {
	for name, body := range map[string][]byte{
		"numbers":              filled(`{"Name":"t","Args":[{"Type":"[]int64","Value":[`, `1`, `]}]}`),
		"texts":                filled(`{"Name":"t","Args":[{"Type":"[]string","Value":[`, `""`, `]}]}`),
		"nulls":                filled(`{"Name":"t","OnSuccess":[null],"Args":[{"Value":[`, `null`, `]}]}`),
		"arguments":            filled(`{"Name":"t","Args":[`, `{"Type":"int64"}`, `]}`),
		"maps of one":          filled(`{"Name":"t","Args":[{"Value":[`, `{"0123456789":0}`, `]}]}`),
		"as many as there may": []byte(`{"Name":"t","OnSuccess":[` + strings.Repeat(`{},`, middleware.MaxNestedTasks-1) + `{}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocated(func() { _, err = delivery.Decode(body) })
			require.NoError(t, err)
			t.Logf("%d bytes: allocated %d times as many", len(body), used/len(body))
			assert.Less(t, used, max(128*len(body), 16*megabyte))
		})
	}
}

// allocated returns how many bytes f allocates, what is freed meanwhile included.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// A chain that is as long as JSON can nest, with error callbacks for each of its tasks, is a message like any other; and
// so is one with an argument for each member of a great chord.
func TestLargeTasksAreNotHostile(t *testing.T) {
	t.Parallel()
	chain := &tasks.Signature{Name: "t"}
	for range 3300 {
		chain = &tasks.Signature{Name: "t", OnSuccess: []*tasks.Signature{chain}, OnError: []*tasks.Signature{{Name: "a"}, {Name: "b"}}}
	}
	callback := &tasks.Signature{Name: "t"}
	for range 100_000 {
		callback.Args = append(callback.Args, tasks.Arg{Type: "int8", Value: 1})
	}
	text := `{"$envelope":1,"type":"[]any","data":[` + strings.Repeat(`{"a":[]},`, 100_000) + `{}]}`
	for _, s := range []*tasks.Signature{chain, callback, {Name: "t", Args: []tasks.Arg{{Type: "string", Value: text}}}} {
		body, err := json.Marshal(s)
		require.NoError(t, err)
		_, err = delivery.Decode(body)
		assert.NoError(t, err)
	}
}

func TestNestedTasksAreCountedAsTheyAreDecoded(t *testing.T) {
	t.Parallel()
	half := middleware.MaxNestedTasks / 2
	for _, form := range []string{
		`{"Name":"t","OnSuccess":[%s],"OnError":[%s]%s}`,
		`{"Name":"t","OnSuccess":[%s, {"OnError":[%s]}]%s}`,
		`{"Name":"t","ChordCallback":{"onerror" : [%s]},"ONSUCCESS":[%s]%s}`,
		`{"Args":[{"Name":"\"","Value":{"OnSuccess":[{}]}}],"Name":"\\","OnSuccess":[%s],"OnError":[%s]%s}`,
	} {
		nested := strings.Repeat(`{},`, half-2) + `{}`
		_, err := delivery.Decode(fmt.Appendf(nil, form, nested, nested, ""))
		assert.NoError(t, err, form)
		_, err = delivery.Decode(fmt.Appendf(nil, form, nested, nested, `,"OnSuccess":[{},{},{}]`))
		assert.ErrorIs(t, err, envelope.ErrLimit, form)
	}
}

// Whatever a text says, scanning it ends, and what it lets through is bounded.
func FuzzDecode(f *testing.F) {
	for _, body := range hostile {
		f.Add(body[:100])
	}
	f.Add([]byte(`{"Name":"t","Args":[{"Name":"a","Type":"string","Value":"\\\""}],"ETA":"2031-02-03T04:05:06Z","OnSuccess":[null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		used := allocated(func() {
			s, err := delivery.Decode(body)
			assert.Equal(t, err == nil, s != nil)
			if err != nil {
				assert.ErrorIs(t, err, deadletter.ErrNoTask)
			}
		})
		assert.Less(t, used, 16*megabyte+128*len(body))
		// What is repeated until it is long is no other matter.
		long := append([]byte(`{"Name":"t","OnSuccess":[`), bytes.Repeat(append(bytes.Clone(body), ','), 1+megabyte/(1+len(body)))...)
		_, _ = delivery.Decode(append(long, `{}]}`...))
	})
}
