package envelope_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type (
	fastShape interface{ Fast() }
	fastPoint struct {
		X, Y  int64
		Label string
	}
	fastName  struct{ Name string }
	fastGroup struct {
		Name   string
		Shapes []fastShape
		Any    any
	}
)

func pointFromName(_ context.Context, name fastName) (fastPoint, error) { return fastPoint{}, nil }

func (fastPoint) Fast()  {}
func (*fastGroup) Fast() {}

func newFast(t require.TestingT) *envelope.Registry {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.RegisterInterface[fastShape](r, "fast.Shape"))
	require.NoError(t, envelope.Register[fastPoint](r, "fast.Point", envelope.Version(2),
		envelope.Upgrade(1, pointFromName)))
	require.NoError(t, envelope.Register[fastGroup](r, "fast.Group", envelope.Alias("fast.Groupe")))
	require.NoError(t, r.Check())
	return r
}

func anyFast(depth int) *rapid.Generator[fastGroup] {
	return rapid.Custom(func(t *rapid.T) fastGroup {
		g := fastGroup{Name: rapid.String().Draw(t, "name"), Shapes: []fastShape{}}
		for range rapid.IntRange(0, 6).Draw(t, "points") {
			g.Shapes = append(g.Shapes, fastPoint{X: rapid.Int64().Draw(t, "x"), Label: rapid.String().Draw(t, "label")}, nil)
		}
		if depth > 0 {
			inner := anyFast(depth-1).Draw(t, "inner")
			g.Shapes = append(g.Shapes, &inner)
			g.Any = []any{inner, fastPoint{Y: 1}}
		}
		return g
	})
}

// What is written is read the quick way; the same text with white space, or with names spelt otherwise, is not. Both
// give the same values.
func TestQuickAndSlowReadingAgree(t *testing.T) {
	r := newFast(t)
	rapid.Check(t, func(t *rapid.T) {
		sent := anyFast(2).Draw(t, "group")
		written, err := r.Marshal(t.Context(), sent)
		require.NoError(t, err)
		for _, text := range []string{written, indented(t, written), strings.NewReplacer(
			`"$envelope":1`, `"\u0024envelope":1`, `"fast.Group"`, `"fast.Groupe"`, `"X":`, `"x":`, `"type":"fast`, `"type":"f\u0061st`).Replace(written)} {
			var arrived fastGroup
			require.NoError(t, r.Unmarshal(t.Context(), text, &arrived), text)
			require.Equal(t, sent, arrived)
		}
	})
}

func indented(t require.TestingT, text string) string {
	var spaced strings.Builder
	encoder := json.NewEncoder(&spaced)
	encoder.SetIndent("", " ")
	require.NoError(t, encoder.Encode(json.RawMessage(text)))
	return spaced.String()
}

// What the quick way takes for another header than the one that it knows is read, or refused, as ever.
func TestHeadersThatAreAlmostKnown(t *testing.T) {
	r := newFast(t)
	marshal(t, r, []any{fastPoint{}, fastGroup{}})
	for header, want := range map[string]error{
		`"type":"fast.Point","version":2,`:                  nil,
		`"type":"fast.Point","version":1,`:                  nil,
		`"type":"fast.Point",`:                              nil,
		`"type":"fast.Point","version":3,`:                  envelope.ErrUnknownVersion,
		`"type":"fast.Point","version":2,"encoding":["a"],`: envelope.ErrMalformed,
		`"type":"fast.Poin",`:                               envelope.ErrUnknownType,
		`"type":"fast.Group",`:                              envelope.ErrTypeMismatch,
		`"type":"fast.Point`:                                envelope.ErrMalformed,
	} {
		var group fastGroup
		text := opened("fast.Group", `{"Name":"n","Shapes":[{"$envelope":1,`+header+`"data":{}}],"Any":null}`)
		err := r.Unmarshal(t.Context(), text, &group)
		if want == nil {
			require.NoError(t, err, header)
			assert.Equal(t, []fastShape{fastPoint{}}, group.Shapes, header)
			continue
		}
		require.ErrorIs(t, err, want, header)
	}
}

// Values that were lent for one message never show in another, and own code that keeps an address keeps its value.
func TestNothingIsLeftOfTheMessageBefore(t *testing.T) {
	r := newFast(t)
	full := marshal(t, r, []any{fastPoint{1, 2, "left"}, fastGroup{Name: "left", Any: "left"}})
	empty := `{"$envelope":1,"type":"[]any","data":[{"$envelope":1,"type":"fast.Point","version":2,"data":{}},{"$envelope":1,"type":"fast.Group","data":{}}]}`
	for range 100 {
		before, err := r.UnmarshalAny(t.Context(), full)
		require.NoError(t, err)
		_, err = r.UnmarshalAny(t.Context(), strings.Replace(full, `"Any":"left"`, `"Any":"left`, 1))
		require.Error(t, err)
		after, err := r.UnmarshalAny(t.Context(), empty)
		require.NoError(t, err)
		assert.Equal(t, []any{fastPoint{}, fastGroup{}}, after)
		assert.Equal(t, []any{fastPoint{1, 2, "left"}, fastGroup{Name: "left", Any: "left"}}, before)
	}
}

// A selfish value refers to itself, as those with room for short contents do.
type selfish struct {
	room [8]byte
	text []byte
}

func (s *selfish) MarshalText() ([]byte, error) { return s.text, nil }
func (s *selfish) UnmarshalText(text []byte) error {
	s.text = append(s.room[:0], text...)
	return nil
}

func TestValuesThatReferToThemselvesStayAsTheyAre(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[selfish](r, "fast.Selfish", envelope.IgnoreUnexported()))
	first, err := r.UnmarshalAny(t.Context(), marshal(t, r, selfish{text: []byte("first")}))
	require.NoError(t, err)
	_, err = r.UnmarshalAny(t.Context(), marshal(t, r, selfish{text: []byte("other")}))
	require.NoError(t, err)
	assert.Equal(t, "first", string(first.(selfish).text))
}
