package envelope_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func costRegistry(t *testing.T) *envelope.Registry {
	r := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxDepth: 1 << 20, MaxDigits: 1 << 20}))
	require.NoError(t, envelope.Register[fuzzRecursive](r, "fuzz.Recursive"))
	require.NoError(t, envelope.Register[Base](r, "library.Base"))
	return r
}

func holding(expression, data string) string {
	return `{"$envelope":1,"type":"` + expression + `","data":` + data + `}`
}

func nested(begin, middle, end string, n int) string {
	return strings.Repeat(begin, n) + middle + strings.Repeat(end, n)
}

func listed(begin, end string, n int, element func(i int) string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = element(i)
	}
	return begin + strings.Join(elements, ",") + end
}

func always(element string) func(int) string { return func(int) string { return element } }

func numbered(before, after string) func(int) string {
	return func(i int) string { return before + strconv.Itoa(i) + after }
}

// deepInputs and longInputs are envelopes that would take much work to read if something in them was read again and
// again: for each level, or for each element.
var deepInputs = map[string]func(n int) string{
	"lists in lists": func(n int) string { return holding("any", nested("[", "", "]", n)) },
	"maps in maps":   func(n int) string { return holding("any", nested(`{"a":`, "1", "}", n)) },
	"envelopes in envelopes": func(n int) string {
		return holding("any", nested(`{"$envelope":1,"type":"any","data":`, "1", "}", n))
	},
	"lists in envelopes in lists": func(n int) string {
		return holding("[]any", nested(`[{"$envelope":1,"type":"[]any","data":`, "[]", "}]", n))
	},
	"structs in structs": func(n int) string {
		return holding("fuzz.Recursive", nested(`{"Children":[{"Next":`, "{}", "}]}", n))
	},
	"interfaces in structs": func(n int) string {
		return holding("any", nested(`{"$envelope":1,"type":"fuzz.Recursive","data":{"Tree":{"Value":`, "1", `}}}`, n))
	},
	"raw JSON": func(n int) string { return holding("json.RawMessage", nested("[", "", "]", n)) },
}

var longInputs = map[string]func(n int) string{
	"envelopes": func(n int) string {
		return holding("[]any", listed("[", "]", n, always(`{"$envelope":1,"type":"*library.Base","data":{"ID":1}}`)))
	},
	"envelopes with escapes": func(n int) string {
		return holding("[]any", listed("[", "]", n, always(`{"\u0024envelope":1,"t\u0079pe":"[]byte","data":"AA=="}`)))
	},
	"header keys": func(n int) string {
		return `{"$envelope":1,` + listed("", "", n, numbered(`"k`, `":{"a":[]}`)) + `,"type":"int","data":1}`
	},
	"unknown members": func(n int) string { return holding("library.Base", listed("{", "}", n, numbered(`"k`, `":1`))) },
	"map":             func(n int) string { return holding("map[int]bool", listed("{", "}", n, numbered(`"`, `":true`))) },
	"first name":      func(n int) string { return holding("any", `{"`+strings.Repeat(`\n`, n)+`":1}`) },
	"escapes":         func(n int) string { return holding("string", `"`+strings.Repeat(`\u00e9`, n)+`"`) },
	"float":           func(n int) string { return holding("float64", "1."+strings.Repeat("1", n)) },
	"exponent":        func(n int) string { return holding("float64", "1e-"+strings.Repeat("9", n)) },
	"big float": func(n int) string {
		return holding("big.Float", `["0x.8`+strings.Repeat("1", n)+`p+1",`+strconv.Itoa(8*n)+`,"ToZero"]`)
	},
	"white space": func(n int) string { return holding("any", strings.Repeat(" ", n)+"1") },
}

// allocated returns how many bytes of memory a call takes, those included that it gives back. Nothing else may run.
func allocated(call func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// No byte is read more than twice. Reading 32 times as much may take 32 times as much memory, and to be sure 4 times
// that; if anything was copied again for each level or element, it would take 1,024 times as much.
func TestReadingTakesWorkInProportionToTheInput(t *testing.T) {
	r := costRegistry(t)
	read := func(t *testing.T, text string) int {
		return allocated(func() {
			work, err := envelope.WorkOf(r, text)
			require.NoError(t, err)
			require.LessOrEqual(t, work, 2*len(text))
		})
	}
	compare := func(inputs map[string]func(int) string, small int) {
		for name, input := range inputs {
			t.Run(name, func(t *testing.T) {
				short := read(t, input(small))
				long := read(t, input(32*small))
				assert.Less(t, long, 4*32*(short+1024))
			})
		}
	}
	compare(deepInputs, 100)
	compare(longInputs, 1_000)
}

func TestTakingApartTakesMemoryInProportionToTheInput(t *testing.T) {
	for _, text := range []string{
		longInputs["header keys"](20_000), longInputs["envelopes with escapes"](20_000), longInputs["unknown members"](20_000),
	} {
		used := allocated(func() {
			_, err := envelope.Parse(text)
			require.NoError(t, err)
		})
		assert.Less(t, used, 64*len(text))
	}
}

// What is read may live in 64 bytes for each byte of input, and, where the type is known before the data, in the size
// of each element besides, with the digits of big numbers.
func TestMemoryIsBoundedByTheInput(t *testing.T) {
	const count = 20_000
	r := costRegistry(t)
	for _, c := range []struct {
		expression, element string
		size                int
	}{
		{"[]any", `null`, 0}, {"[]any", `[]`, 0}, {"[]any", `{}`, 0}, {"[]any", `[[]]`, 0}, {"[]any", `0`, 0}, {"[]any", `""`, 0},
		{"[]any", `{"":0}`, 0}, {"[]any", `{"":{}}`, 0}, {"[]any", `{"":[]}`, 0}, {"[]any", `{"":{"":0}}`, 0},
		{"[]any", `{"$envelope":1,"type":"*library.Base","data":{}}`, 0},
		{"[]url.URL", `""`, 136}, {"[]*url.URL", `""`, 136}, {"[]map[uint8]big.Rat", `{"1":"1"}`, 72 + 48},
		{"[]map[string]big.Int", `{"":1}`, 32 + 48}, {"[][]uint8", `""`, 24}, {"[]library.Base", `{}`, 24},
	} {
		t.Run(c.expression+c.element, func(t *testing.T) {
			text := holding(c.expression, listed("[", "]", count, always(c.element)))
			used := heapFor(t, func() any {
				value, err := r.UnmarshalAny(context.Background(), text)
				require.NoError(t, err)
				return value
			})
			assert.Less(t, used, 64*len(text)+c.size*count)
		})
	}
}

// heapFor returns how much memory is in use for what a function returns.
func heapFor(t *testing.T, make func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	value := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.NotNil(t, value)
	runtime.KeepAlive(value)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}
