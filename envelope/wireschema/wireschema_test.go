package wireschema_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

func TestFormsAreReadBack(t *testing.T) {
	for _, text := range []string{
		"int64", "orders.Order", "go:orders.Page[orders.Order]", "*int", "[]*[4]string", "map[string][]go:a.B[map[string]int]",
		"map[text(a.B[c.D])]int", "json(civil.Date)", "text(a.B)", "[]uint8", "error",
	} {
		f, err := wireschema.ParseForm(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, f.String())
	}
	for _, text := range []string{"", "[", "[x]int", "[-1]int", "[]", "map[", "map[string", "map[string]", "*"} {
		_, err := wireschema.ParseForm(text)
		assert.ErrorIs(t, err, wireschema.ErrMalformed, text)
	}
}

// A reference is a JSON pointer in the fragment of a URI: it leads to the definition, whatever characters the name has.
func TestReferencesLeadToTheirDefinitions(t *testing.T) {
	for _, name := range []string{"a.B", "a/b.C", "a~b.C", "a~1b.C", "a%2Fb.C", "go:a.B[c/d.E,f.G]", "go:a.B[struct { X \"y\" }]", "go:a.Größe#2", "go:a.B?<|>^`{}"} {
		s := wireschema.Schema{Types: []wireschema.Type{
			{Name: "a.A", Version: 1, Fields: []wireschema.Field{{Name: "x", Form: "*" + name}}},
			{Name: name, Version: 1, Fields: []wireschema.Field{{Name: "y", Form: "int"}}},
		}}
		var document string
		for _, text := range s.JSONSchema() {
			document += string(text)
		}
		references := regexp.MustCompile(`"\$ref": ?"([^"]*)"`).FindAllStringSubmatch(document, -1)
		found := map[string]bool{}
		for _, reference := range references {
			parsed, err := url.Parse(reference[1])
			require.NoError(t, err)
			require.NotRegexp(t, `[^-A-Za-z0-9._~!$&'()*+,;=:@/?%#]`, reference[1], "has to be escaped in a URI")
			key, ok := strings.CutPrefix(parsed.Fragment, "/$defs/")
			require.True(t, ok, reference[1])
			require.NotContains(t, key, "/")
			found[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)] = true
		}
		assert.True(t, found[name], "%s: %v", name, references)
	}
}

func FuzzParse(f *testing.F) {
	s := wireschema.Schema{
		Types: []wireschema.Type{{Name: "a.B", Version: 1, Fields: []wireschema.Field{{Name: "x", Form: "int"}}}},
		Tasks: []wireschema.Task{{Name: "t", Params: []wireschema.Param{{Form: "a.B"}}}},
	}
	f.Add(s.JSON())
	f.Add([]byte(`{"wire":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := wireschema.Parse(text)
		if err != nil {
			return
		}
		again, err := wireschema.Parse(read.JSON())
		require.NoError(t, err)
		require.Equal(t, read, again)
	})
}
