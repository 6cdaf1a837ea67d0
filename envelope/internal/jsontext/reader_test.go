package jsontext_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// maxDepth is that of encoding/json.
const maxDepth = 10_000

func reading(text string) *jsontext.Reader {
	r := jsontext.NewReader(text, jsontext.NewNesting(maxDepth), jsontext.NewBudget(1<<20))
	return &r
}

func TestSkipReadsWhatEncodingJSONTakesForValid(t *testing.T) {
	t.Parallel()
	for _, text := range seeds {
		requireSkipsLikeEncodingJSON(t, text)
	}
}

func FuzzSkip(f *testing.F) {
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { requireSkipsLikeEncodingJSON(t, text) })
}

// requireSkipsLikeEncodingJSON makes sure that what is skipped is valid JSON, and that valid JSON is skipped unless it
// has strings that are not valid Unicode.
func requireSkipsLikeEncodingJSON(t *testing.T, text string) {
	t.Helper()
	r := reading(text)
	err := r.Skip()
	if err == nil && r.AtEnd() {
		require.True(t, json.Valid([]byte(text)), text)
		require.Equal(t, len(text), r.Work(), "nothing is read twice")
		return
	}
	if err != nil && (strings.Contains(err.Error(), "invalid UTF-8") || strings.Contains(err.Error(), "invalid escape")) {
		return
	}
	require.False(t, json.Valid([]byte(text)), "%s: %v", text, err)
}

var seeds = []string{
	``, ` `, `null`, `nul`, `true`, `false`, `falsey`, `0`, `-0`, `01`, `1.`, `1.5e+3`, `1e`, `-`, `.5`, `"a"`, `"`, `"\u00e9"`, `"\ud83d\ude00"`,
	`"\ud83d"`, `"\q"`, "\"\n\"", "\"\xff\"", `[]`, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `{}`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{1:2}`,
	` { "a" : [ 1 , { } ] } `, `[[[[]]]]`, `{"a":{"a":{}}}`, `]`, `[}`, `1 2`,
}

func TestTheTextAfterARewindIsReadAgain(t *testing.T) {
	t.Parallel()
	r := reading(` "abc" true`)
	start := r.Mark()
	text, shared, err := r.Text()
	require.NoError(t, err)
	assert.True(t, shared)
	assert.Equal(t, `"abc"`, r.Since(start))
	r.Rewind(start)
	again, err := r.OwnText()
	require.NoError(t, err)
	assert.Equal(t, text, again)
	yes, err := r.Bool()
	require.NoError(t, err)
	assert.True(t, yes)
	assert.True(t, r.AtEnd())
	assert.Equal(t, len(` "abc" true`)+len(`"abc"`), r.Work())
}

func TestInsideReadsAllOfAnotherText(t *testing.T) {
	t.Parallel()
	r := reading(`"1" 2`)
	text, _, err := r.Text()
	require.NoError(t, err)
	number := func() error { _, err := r.Int(64); return err }
	require.NoError(t, r.Inside(text, number))
	for _, inner := range []string{"", " 1", "1 ", "1,2"} {
		require.ErrorIs(t, r.Inside(inner, number), faults.ErrTypeMismatch, inner)
	}
	n, err := r.Int(64)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	nesting, budget := jsontext.NewNesting(2), jsontext.NewBudget(0)
	deep := jsontext.NewReader(`[[[]]]`, nesting, budget)
	require.ErrorIs(t, deep.Skip(), faults.ErrLimit)
	shallow := jsontext.NewReader(`[[],[],{}]`, nesting, budget)
	require.NoError(t, shallow.Skip())
	assert.Zero(t, shallow.Depth())
}

func TestStringsAndBytesAreChargedToTheBudget(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100)
	reads := map[string]func(*jsontext.Reader) error{
		"a long string":     func(r *jsontext.Reader) error { _, err := r.OwnText(); return err },
		"a short string":    func(r *jsontext.Reader) error { _, err := r.Own("short"); return err },
		"an escaped string": func(r *jsontext.Reader) error { return r.Skip() },
		"bytes":             func(r *jsontext.Reader) error { _, err := r.Bytes(); return err },
		"appended bytes":    func(r *jsontext.Reader) error { _, err := r.AppendBytes(nil); return err },
	}
	for name, read := range reads {
		text := `"` + long + `"`
		if name == "an escaped string" {
			text = `"\n` + long + `"`
		}
		for budget, want := range map[int64]error{1 << 10: nil, 4: faults.ErrLimit} {
			r := jsontext.NewReader(text, jsontext.NewNesting(1), jsontext.NewBudget(budget))
			require.ErrorIs(t, read(&r), want, name)
		}
	}
}

func TestBudgetsTellWhatIsLeft(t *testing.T) {
	t.Parallel()
	budget := jsontext.NewBudget(3)
	require.NoError(t, budget.Charge(3))
	assert.Zero(t, budget.Left())
	budget.Resize(10)
	assert.EqualValues(t, 7, budget.Left())
	require.NoError(t, budget.ChargeGrowth(1, 2, 8), "there is room")
	require.EqualError(t, budget.ChargeGrowth(2, 2, 8), "limit exceeded: MaxMemory is 10, see envelope.WithLimits")
	assert.Zero(t, budget.Left())
}

func TestUnexpectedSaysWhatStandsThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``: "unexpected end", `{`: "expected a date, found an object", `[`: "expected a date, found an array",
		`"`: "expected a date, found a string", `-1`: "expected a date, found a number", `true`: "expected a date, found a boolean",
		`null`: "expected a date, found null", `x`: "unexpected character", "\x00": "unexpected character",
	} {
		require.EqualError(t, reading(text).Unexpected("a date"), want, "%q", text)
	}
}

func TestCompactJSONHasNoWhiteSpaceBetweenTokens(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `{"a b\" ":[1,null]}`, string(jsontext.AppendCompact(nil, " { \"a b\\\" \" :\t[ 1 , null ]\r\n}")))
}

func TestBase64IsStrict(t *testing.T) {
	t.Parallel()
	data, err := reading(string(jsontext.AppendBytes(nil, []byte{0, 255, 7}))).Bytes()
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 255, 7}, data)
	escaped, err := reading(`"AA\u003d="`).AppendBytes([]byte{1})
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 0}, escaped)
	empty, err := reading(`""`).Bytes()
	require.NoError(t, err)
	assert.NotNil(t, empty)
	for _, text := range []string{`"AA"`, `"AB=="`, `"A\nA=="`, "\"AA\n==\"", `"AA==`, `"A*=="`, `"=A=="`} {
		_, err := reading(text).Bytes()
		require.ErrorIs(t, err, faults.ErrMalformed, text)
		_, err = reading(text).AppendBytes(nil)
		require.ErrorIs(t, err, faults.ErrMalformed, text)
	}
	_, err = reading(`1`).Bytes()
	require.ErrorIs(t, err, faults.ErrTypeMismatch)
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"", "plain", "\"\\\b\f\n\r\t\x00\x1f", "é😀\u2028<>&", "\xff", "\xed\xa0\x80", strings.Repeat("long", 40)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written, err := jsontext.AppendText(nil, text)
		if err != nil {
			require.ErrorIs(t, err, faults.ErrUnsupported)
			require.NotEqual(t, text, strings.ToValidUTF8(text, ""), "only invalid UTF-8 is refused")
			return
		}
		var theirs string
		require.NoError(t, json.Unmarshal(written, &theirs))
		require.Equal(t, text, theirs)
		ours, err := reading(string(written)).OwnText()
		require.NoError(t, err)
		require.Equal(t, text, ours)
	})
}

func FuzzFloat(f *testing.F) {
	for _, value := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e21, 1e-7, 123456789.125, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value float64) {
		written := string(jsontext.AppendFloat(nil, value, 64))
		read, err := reading(written).Float(64)
		require.NoError(t, err)
		if math.IsNaN(value) {
			require.True(t, math.IsNaN(read))
			return
		}
		require.Equal(t, math.Float64bits(value), math.Float64bits(read), written)
		if jsontext.SpecialFloat(value) == "" {
			theirs, err := json.Marshal(value)
			require.NoError(t, err)
			require.Equal(t, string(theirs), written)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"0", "-0", "1", "-128", "128", "255", "1.0", "1e3", "9223372036854775808", "123456789012345678901234567890"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		requireIntegerLikeEncodingJSON(t, text, func(r *jsontext.Reader) (int8, error) { n, err := r.Int(8); return int8(n), err })
		requireIntegerLikeEncodingJSON(t, text, func(r *jsontext.Reader) (int64, error) { return r.Int(64) })
		requireIntegerLikeEncodingJSON(t, text, func(r *jsontext.Reader) (uint64, error) { return r.Uint(64) })
		if size := jsontext.NumberLength(text); size > 0 {
			require.True(t, json.Valid([]byte(text[:size])), text)
		}
	})
}

func requireIntegerLikeEncodingJSON[N int8 | int64 | uint64](t *testing.T, text string, read func(*jsontext.Reader) (N, error)) {
	t.Helper()
	r := reading(text)
	ours, err := read(r)
	var theirs N
	theirErr := json.Unmarshal([]byte(text), &theirs)
	if err == nil && r.AtEnd() {
		require.NoError(t, theirErr, text)
		require.Equal(t, theirs, ours)
	} else if strings.TrimSpace(text) != "null" {
		require.Error(t, theirErr, text)
	}
}
