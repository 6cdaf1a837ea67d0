package envelope_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestURLsTravelAsTheirText(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry()
	parse := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	changed := parse("https://example.org/a%2Fb?q=1#c%2Fd")
	changed.Path = "/an other/path"
	relative := parse("https://example.org")
	relative.Path = "orders/1"
	for _, u := range []*url.URL{
		parse("https://de.wikipedia.org/wiki/Zürich"), parse("https://example.org/a b/c?x=y z"), parse("/only a path#ü"),
		parse("https://example.org/a/b").JoinPath("..", "c d", "é"), parse("https://example.org").JoinPath("x"),
		changed, relative, parse("https://user:p%20w@example.org/%2f"), parse("mailto:a@example.org"), parse("file:///etc/a b"), {},
		{Path: "a:b"}, {Host: "example.org", ForceQuery: true},
	} {
		arrived := roundTrip(t, r, *u)
		assert.Equal(t, u.String(), arrived.String())
		assert.Equal(t, u.Host, arrived.Host)
		assert.Equal(t, u.User, arrived.User)
	}
}

// White space around JSON is no part of it, and JSON null is nil.
func TestRawMessagesTravelAsTheJSONTheyAre(t *testing.T) {
	t.Parallel()
	type holder struct{ Raw json.RawMessage }
	r := envelope.NewRegistry()
	envelope.MustRegister[holder](r, "test.Holder")
	for sent, arrives := range map[string]json.RawMessage{
		"null": nil, " null\n": nil, "{\"a\": 1}\n": json.RawMessage(`{"a": 1}`), "\t\r\n [1, 2] ": json.RawMessage("[1, 2]"),
		` "null"`: json.RawMessage(`"null"`),
	} {
		assert.Equal(t, arrives, roundTrip(t, r, json.RawMessage(sent)), sent)
		assert.Equal(t, holder{arrives}, roundTrip(t, r, holder{json.RawMessage(sent)}), sent)
	}
	requireRefused(t, r, json.RawMessage(" "), envelope.ErrUnsupported, "json.RawMessage: not well-formed JSON")
}
