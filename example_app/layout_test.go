package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLayOut(t *testing.T) {
	long := strings.Repeat("é", maxText)
	tests := map[string]struct{ text, want string }{
		"short":        {`{"b":[1,-0.5e3],"a":{"c":null,"d":true}}`, `{"b":[1, -0.5e3], "a":{"c":null, "d":true}}`},
		"long numbers": {`[9007199254740993]`, `[9007199254740993]`},
		"long list":    {`[1,[2],{"a":3},4,5]`, `[1, [2], {"a":3}, … 2 more]`},
		"empty":        {`[{},[]]`, `[{}, []]`},
		"text":         {`"` + long + `"`, `"` + long + `"`},
		"long text":    {`"` + long + `é"`, `"` + long + `"… (122 bytes)`},
		"escapes":      {`"a\"\n\u001b[2J"`, `"a\"\n\u001b[2J"`},
		"no JSON":      {`hello`, `hello`},
		"cut off":      {`{"a":[1,`, `{"a":[1,`},
		"wide": {
			`{"first":"` + long + `","second":["` + long + `"]}`,
			"{\n    \"first\":\"" + long + "\",\n    \"second\":[\"" + long + "\"]\n  }",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, layOut(test.text, "  "))
		})
	}
}
