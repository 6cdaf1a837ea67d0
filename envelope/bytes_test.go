package envelope_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type (
	// byteGrade is a byte that travels as a letter.
	byteGrade  uint8
	byteGrades struct {
		List  []byteGrade
		Array [2]byteGrade
		Lists [][]byteGrade
	}
	// byteMark is a byte that was another one in version 1, byteScore one that was no byte.
	byteMark  uint8
	byteScore struct{ Points int }
)

func gradeToLetter(_ context.Context, g byteGrade) (string, error) { return string(rune('A' + g)), nil }

func letterToGrade(_ context.Context, letter string) (byteGrade, error) {
	return byteGrade(strings.Index("ABC", letter)), nil
}

func TestBytesWithAConverterAreConvertedInSlices(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[byteGrade](r, "byte.Grade", envelope.Convert(gradeToLetter, letterToGrade)))
	require.NoError(t, envelope.Register[byteGrades](r, "byte.Grades"))
	require.NoError(t, r.Check())
	assert.Equal(t, opened("[]byte.Grade", `["A","C"]`), marshal(t, r, []byteGrade{0, 2}))
	sent := byteGrades{List: []byteGrade{1}, Array: [2]byteGrade{2, 0}, Lists: [][]byteGrade{{0}, nil, {}}}
	assert.Equal(t, opened("byte.Grades", `{"List":["B"],"Array":["C","A"],"Lists":[["A"],null,[]]}`), marshal(t, r, sent))
	assert.Equal(t, sent, roundTripAny(t, r, sent))
	described, found := r.Schema().Type("byte.Grades")
	require.True(t, found)
	assert.Equal(t, "[]byte.Grade", described.Fields[0].Form)
}

func TestSlicesOfWhatWereBytesAreUpgraded(t *testing.T) {
	old := envelope.NewRegistry()
	require.NoError(t, envelope.Register[byteMark](old, "byte.Mark"))
	text := marshal(t, old, []byteMark{1, 2, 3})
	require.Equal(t, opened("[]byte.Mark", `"AQID"`), text)

	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[byteScore](r, "byte.Mark", envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, m byteMark) (byteScore, error) { return byteScore{10 * int(m)}, nil })))
	assert.Equal(t, []byteScore{{10}, {20}, {30}}, receives[any](t, r, text))
	assert.Equal(t, []byteScore{}, receives[any](t, r, opened("[]byte.Mark", `""`)))
	assert.Equal(t, []byteScore(nil), receives[any](t, r, opened("[]byte.Mark", "null")))
	assert.Equal(t, [2]byteScore{{10}, {20}}, receives[any](t, r, opened("[2]byte.Mark", "[1,2]")))
	assert.Equal(t, [][]byteScore{{{10}}, nil}, receives[any](t, r, opened("[][]byte.Mark", `["AQ==",null]`)))
	requireUnreadable[[]byteScore](t, r, opened("[]byte.Mark", "[1]"), envelope.ErrTypeMismatch,
		"[]byte.Mark: expected a string, found an array")

	still := envelope.NewRegistry()
	require.NoError(t, envelope.Register[byteMark](still, "byte.Mark", envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, m byteMark) (byteMark, error) { return 2 * m, nil })))
	assert.Equal(t, []byteMark{2, 4, 6}, receives[[]byteMark](t, still, text))
	assert.Equal(t, []byteMark{7}, roundTrip(t, still, []byteMark{7}))
}
