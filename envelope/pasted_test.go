package envelope

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
)

type genericPage[A, B any] struct {
	First  A
	Second B
}

func TestTypesAreSpelledAsProgramsDo(t *testing.T) {
	type local struct{}
	for want, goType := range map[string]reflect.Type{
		"envelope.genericPage[uuid.UUID,map[string]*json.Decoder]":                 reflect.TypeFor[genericPage[uuid.UUID, map[string]*json.Decoder]](),
		"[]envelope.genericPage[envelope.genericPage[int,uuid.UUID],[3]uuid.UUID]": reflect.TypeFor[[]genericPage[genericPage[int, uuid.UUID], [3]uuid.UUID]](),
		"envelope.genericPage[envelope.local,int]":                                 reflect.TypeFor[genericPage[local, int]](),
		"map[string]interface {}":                                                  reflect.TypeFor[map[string]any](),
	} {
		assert.Equal(t, want, goName(goType))
	}
	assert.Equal(t, "orders", packageName("github.com/x/orders/v2"))
	assert.Equal(t, "yaml", packageName("gopkg.in/yaml%2ev3"))
}

func TestCausesAreShownOnlyIfTheyQuoteNothing(t *testing.T) {
	for _, c := range []struct{ err, input, shown string }{
		{`parsing time "0000-00-00": month out of range`, "0000-00-00", "parsing time …: month out of range"},
		{`strconv.ParseInt: parsing "x1": invalid syntax`, "x1", "strconv.ParseInt: parsing …: invalid syntax"},
		{"not a color", "hunter", "not a color"},
		{"bad word hunter", "hunter", ""},
		{"bad word HUNTER", `{"p":"hunter"}`, ""},
		{"no account 4711", "x", ""},
		{`it's wrong`, "hunter", ""},
		{"bad word alice", `"\u0061lice"`, ""},
		{"first\nsecond", "x", ""},
		{"bad letter h", "hunter", ""},
	} {
		assert.Equal(t, c.shown, shownCause(textError(c.err), c.input), c.err)
	}
}

type textError string

func (e textError) Error() string { return string(e) }
