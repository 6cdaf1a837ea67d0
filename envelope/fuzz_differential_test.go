package envelope_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// fuzzStatic has only what we and encoding/json write in the same way.
type fuzzStatic struct {
	Conflict
	*Middle
	Bool     bool              `json:"bool"`
	Number   int               `json:"number"`
	Small    uint8             `json:"small"`
	Text     string            `json:"text,omitempty"`
	Quoted   int64             `json:"quoted,string"`
	Pointer  *string           `json:"pointer"`
	List     []fuzzStatic      `json:"list"`
	Texts    map[string]string `json:"texts"`
	Index    map[int]Label     `json:"index"`
	Codes    map[Code]Color    `json:"codes"`
	Degrees  *Temperature      `json:"degrees"`
	Cased    Cased             `json:"cased"`
	Embedded Embeds            `json:"embedded"`
}

// refusals are our reasons for not reading what encoding/json reads: where it drops, replaces or pads.
var refusals = []string{
	"duplicate name", "found null", "invalid UTF-8", "invalid escape", "invalid number",
	"limit exceeded: MaxDepth",
}

func isRefusal(err error) bool {
	for _, reason := range refusals {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

func FuzzStaticDataLikeEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"bool":true,"number":-1,"small":255,"text":"\u00e9\ud83d\ude00"}`,
		`{"number":1.0}`, `{"small":256}`, `{"quoted":"1"}`, `{"quoted":"null"}`, `{"quoted":" 1"}`, `{"quoted":"01"}`, `{"pointer":null}`,
		`{"list":[{"list":[]},{}]}`, `{"texts":{"a":"b","a":"c"}}`, `{"texts":{"\ud800":""}}`, `{"index":{"+1":"a","01":"b"}}`,
		`{"codes":{"c1":"010203"}}`, `{"degrees":1}`, `{"degrees":null}`, `{"Extra":1,"Name":"n","ID":1,"Depth":2}`,
		`{"cased":{"VALUE":"a","Value":1,"value":2,"\u212aelvin":3,"STRASSE":"x"}}`, `{"embedded":{"visible":1,"More":true}}`,
		`{"unknown":{"a":[1,2,{"b":null}]},"unknown2":1e999}`, ` { } `, `{"a":1}x`, `{"text":"a` + "\x00" + `"}`,
	} {
		f.Add(seed)
	}
	r := envelope.NewRegistry()
	require.NoError(f, envelope.Register[fuzzStatic](r, generatedName))
	f.Fuzz(func(t *testing.T, data string) {
		var theirs, ours fuzzStatic
		theirErr := json.Unmarshal([]byte(data), &theirs)
		ourErr := r.Unmarshal(context.Background(), envelopeOf(data), &ours)
		switch {
		case ourErr == nil:
			require.NoError(t, theirErr, "what we read, encoding/json reads")
			requireSame(t, theirs, ours)
		case theirErr == nil:
			require.True(t, isRefusal(ourErr), "encoding/json reads it, but: %v", ourErr)
			requireReadsTheirOutput(t, r, theirs)
		}
	})
}

// requireReadsTheirOutput makes sure that we read what encoding/json writes for a value.
func requireReadsTheirOutput(t *testing.T, r *envelope.Registry, value fuzzStatic) {
	data, err := json.Marshal(value)
	require.NoError(t, err)
	var theirs, ours fuzzStatic
	require.NoError(t, json.Unmarshal(data, &theirs))
	err = r.Unmarshal(context.Background(), envelopeOf(string(data)), &ours)
	if err != nil && strings.Contains(err.Error(), "limit exceeded: MaxDepth") {
		return
	}
	require.NoError(t, err, string(data))
	requireSame(t, theirs, ours)
}
