package tsp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseProblem(t *testing.T) {
	want := Problem{Name: "square", Cities: []City{{0, 0}, {0, 10}, {10.5, 10}, {-100, 0}}}
	tests := map[string]string{
		"plain": `NAME: square
TYPE: TSP
DIMENSION: 4
EDGE_WEIGHT_TYPE: EUC_2D
NODE_COORD_SECTION
1 0 0
2 0 10
3 10.5 10
4 -1e2 0
`,
		"spaces, other keys, an end": `NAME : square
COMMENT : four cities
COMMENT : and: a colon
TYPE : TSP (by somebody)
DIMENSION   :  4
EDGE_WEIGHT_TYPE : EUC_2D
DISPLAY_DATA_TYPE : COORD_DISPLAY
NODE_COORD_SECTION :
  1   0.0	0.0

  2   0   1.0e+01
  3   10.5   10
  4   -100   0
EOF
what follows the end is not read
`,
		"nodes in any order": `NAME: square
DIMENSION: 4
EDGE_WEIGHT_TYPE: EUC_2D
NODE_COORD_SECTION
4 -100 0
2 0 10
1 0 0
3 10.5 10
`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseProblem(strings.NewReader(text))
			require.NoError(t, err)
			assert.Equal(t, want, got)

			got, err = ParseProblem(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")))
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestParseProblemRefuses(t *testing.T) {
	const header = "NAME: x\nTYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
	tests := map[string]struct{ text, want string }{
		"empty":                {"", "no NODE_COORD_SECTION"},
		"no section":           {"NAME: x\nDIMENSION: 3\n", "no NODE_COORD_SECTION"},
		"end before section":   {"EOF\n" + header, "no NODE_COORD_SECTION"},
		"not a pair":           {"hello\n", `line 1: want "KEY: value", got "hello"`},
		"asymmetric":           {"TYPE: ATSP\n", `line 1: TYPE is "ATSP", want TSP`},
		"geographic":           {"NAME: x\nEDGE_WEIGHT_TYPE: GEO\n", `line 2: EDGE_WEIGHT_TYPE is "GEO", want EUC_2D`},
		"no weight type":       {"DIMENSION: 3\nNODE_COORD_SECTION\n", "line 2: no EDGE_WEIGHT_TYPE before the coordinates"},
		"no dimension":         {"EDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n", "line 2: no DIMENSION before the coordinates"},
		"dimension in words":   {"DIMENSION: three\n", `line 1: DIMENSION is "three", want a number`},
		"dimension too big":    {"DIMENSION: 99999999999999999999\n", `line 1: DIMENSION is "99999999999999999999", want a number`},
		"negative dimension":   {"DIMENSION: -3\n", "line 1: DIMENSION is -3, want 3 cities at least"},
		"too few cities":       {"DIMENSION: 2\n", "line 1: DIMENSION is 2, want 3 cities at least"},
		"node missing":         {header + "1 0 0\n3 1 1\n", "DIMENSION is 3, but there are 2 nodes: node 2 is missing"},
		"no nodes":             {header, "DIMENSION is 3, but there are 0 nodes: node 1 is missing"},
		"one node too many":    {header + "1 0 0\n2 0 1\n3 1 1\n4 2 2\n", "line 9: node 4 is not within 1 to 3, the DIMENSION"},
		"node 0":               {header + "0 0 0\n", "line 6: node 0 is not within 1 to 3, the DIMENSION"},
		"node twice":           {header + "1 0 0\n1 0 1\n", "line 7: node 1 appears twice"},
		"node not a number":    {header + "one 0 0\n", `line 6: node is "one", want a number`},
		"coordinate in words":  {header + "1 0 north\n", `line 6: coordinate is "north", want a number`},
		"NaN":                  {header + "1 NaN 0\n", `line 6: coordinate is "NaN", want a number`},
		"infinite":             {header + "1 0 -Inf\n", "line 6: coordinate -Inf is beyond 1e+09"},
		"overflow":             {header + "1 1e999 0\n", `line 6: coordinate is "1e999", want a number`},
		"far away":             {header + "1 0 2e9\n", "line 6: coordinate 2e9 is beyond 1e+09"},
		"a coordinate missing": {header + "1 0\n", "line 6: want a node and two coordinates, got 2 fields"},
		"another section":      {header + "1 0 0\nTOUR_SECTION\n", "line 7: want a node and two coordinates, got 1 fields"},
		"escape in name":       {"NAME: \x1b[2J\n", `line 1: NAME "\x1b[2J" is not plain text`},
		"name not in UTF-8":    {"NAME: Gr\xf6tschel\n", `line 1: NAME "Gr\xf6tschel" is not plain text`},
		"endless line":         {"NAME: x\n" + strings.Repeat("x", 1<<20), "line 2 is too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseProblem(strings.NewReader(test.text))
			assert.EqualError(t, err, test.want)
		})
	}
}

func FuzzParseProblem(f *testing.F) {
	f.Add([]byte(berlin52File))
	f.Add([]byte("DIMENSION: 3\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n1 0 0\n2 0 1e9\n3 -1e9 0x1p-2\nEOF"))
	f.Add([]byte("NAME: x\nTYPE: ATSP\nDIMENSION: 99999999999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		problem, err := ParseProblem(bytes.NewReader(text))
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			assert.Empty(t, problem)
			return
		}
		require.GreaterOrEqual(t, len(problem.Cities), MinCities)
		for city := range problem.Cities {
			assert.GreaterOrEqual(t, problem.Distance(0, city), 0)
			assert.Equal(t, problem.Distance(0, city), problem.Distance(city, 0))
		}
	})
}
